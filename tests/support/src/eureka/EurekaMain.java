package local;

import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.cloud.netflix.eureka.server.EnableEurekaServer;
import org.springframework.context.annotation.Bean;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.config.http.SessionCreationPolicy;
import org.springframework.security.core.userdetails.User;
import org.springframework.security.provisioning.InMemoryUserDetailsManager;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.web.bind.annotation.DeleteMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PutMapping;
import org.springframework.web.bind.annotation.RestController;

import static org.springframework.security.config.Customizer.withDefaults;

/**
 * A Eureka server that asks for a user when it is told to, and whose users a test may add and remove under {@code /test-users}, open
 * to everyone.
 */
@SpringBootApplication
@EnableEurekaServer
@RestController
public class EurekaMain {
    private final InMemoryUserDetailsManager users = new InMemoryUserDetailsManager();

    public static void main(String[] arguments) {
        SpringApplication.run(EurekaMain.class, arguments);
    }

    @Bean
    InMemoryUserDetailsManager users() {
        return users;
    }

    @Bean
    SecurityFilterChain rules(HttpSecurity http, @Value("${test.auth:false}") boolean asks) throws Exception {
        http.csrf(csrf -> csrf.disable());
        http.sessionManagement(sessions -> sessions.sessionCreationPolicy(SessionCreationPolicy.STATELESS));
        http.authorizeHttpRequests(requests -> {
            requests.requestMatchers("/test-users/**").permitAll();
            if (asks) {
                requests.anyRequest().authenticated();
            } else {
                requests.anyRequest().permitAll();
            }
        });
        return http.httpBasic(withDefaults()).build();
    }

    @PutMapping("/test-users/{name}/{password}")
    void admit(@PathVariable String name, @PathVariable String password) {
        users.deleteUser(name);
        users.createUser(User.withUsername(name).password("{noop}" + password).build());
    }

    @DeleteMapping("/test-users/{name}")
    void expel(@PathVariable String name) {
        users.deleteUser(name);
    }
}
