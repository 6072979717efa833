package lab;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.dubbo.common.URL;
import org.apache.dubbo.config.AbstractInterfaceConfig;
import org.apache.dubbo.config.ApplicationConfig;
import org.apache.dubbo.config.ProtocolConfig;
import org.apache.dubbo.config.ReferenceConfig;
import org.apache.dubbo.config.RegistryConfig;
import org.apache.dubbo.config.ServiceConfig;
import org.apache.dubbo.config.bootstrap.DubboBootstrap;
import org.apache.dubbo.registry.Registry;
import org.apache.dubbo.registry.RegistryFactory;
import org.apache.dubbo.registry.RegistryService;
import org.apache.dubbo.rpc.model.ApplicationModel;

/** An application that provides three services, or one that calls them all the time. It ends when its stdin does. */
public final class DubboMain {
    /** Each way of naming a service: an interface alone, with version and group, and one within another class. */
    private static final List<Named> SERVICES = List.of(
            new Named("plain", Greeter.class, null, null, "dubbo"),
            new Named("versioned", Greeter.class, "1.0.0", "blue", "tri"),
            new Named("nested", Nested.class, null, null, "dubbo"));
    private static final int CALL_EVERY_MILLIS = 50;
    /** Slowness is no failure. */
    private static final int CALL_LIMIT_MILLIS = 120_000;

    public interface Nested extends Greeter {}

    private record Named(String name, Class<? extends Greeter> type, String version, String group, String protocol) {
        <C extends AbstractInterfaceConfig> C describe(C config) {
            config.setInterface(type.getName());
            config.setVersion(version);
            config.setGroup(group);
            return config;
        }
    }

    private record Answering(String name) implements Nested {
        @Override
        public String greet(String who) {
            return name + " greets " + who;
        }
    }

    /** {@code provide REGISTRY PORT} (with the next port for the other protocol) or {@code call REGISTRY}. */
    public static void main(String[] arguments) throws Exception {
        RegistryConfig registry = new RegistryConfig(arguments[1]);
        if (arguments[0].equals("provide")) {
            provide(registry, Integer.parseInt(arguments[2]));
        } else {
            call(registry);
        }
    }

    private static DubboBootstrap application(String name, RegistryConfig registry) {
        ApplicationConfig application = new ApplicationConfig(name);
        application.setQosEnable(false);
        application.setEnableFileCache(false);
        application.setRegisterMode("interface");
        return DubboBootstrap.getInstance().application(application).registry(registry);
    }

    private static void provide(RegistryConfig registry, int port) throws IOException {
        DubboBootstrap bootstrap = application("greeter", registry)
                .protocols(List.of(new ProtocolConfig("dubbo", port), new ProtocolConfig("tri", port + 1)));
        for (Named named : SERVICES) {
            ServiceConfig<Nested> service = named.describe(new ServiceConfig<>());
            service.setProtocolIds(named.protocol());
            service.setRef(new Answering(named.name()));
            bootstrap.service(service);
        }
        bootstrap.start();
        System.out.println("READY");
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            String[] command = line.split(" ");
            obey(command[1], command[2]);
            System.out.println("DONE " + command[0]);
        }
        System.exit(0);
    }

    /** {@code NUMBER register REGISTRY} or {@code NUMBER unregister REGISTRY}: all services, whose port stays open. */
    private static void obey(String verb, String registryAddress) {
        ApplicationModel application = ApplicationModel.defaultModel();
        URL address = URL.valueOf(registryAddress).setPath(RegistryService.class.getName()).setScopeModel(application);
        RegistryFactory factories = application.getExtensionLoader(RegistryFactory.class).getAdaptiveExtension();
        Registry registry = factories.getRegistry(address);
        application.getFrameworkModel().getServiceRepository().allProviderModels().stream()
                .flatMap(provider -> provider.getStatedUrl().stream())
                .map(stated -> stated.getProviderUrl())
                .forEach(verb.equals("register") ? registry::register : registry::unregister);
    }

    private static void call(RegistryConfig registry) throws Exception {
        DubboBootstrap bootstrap = application("caller", registry);
        Map<String, ReferenceConfig<Greeter>> references = new LinkedHashMap<>();
        for (Named named : SERVICES) {
            ReferenceConfig<Greeter> reference = named.describe(new ReferenceConfig<>());
            reference.setCheck(false);
            // Every call that fails is to be seen.
            reference.setRetries(0);
            reference.setTimeout(CALL_LIMIT_MILLIS);
            references.put(named.name(), reference);
            bootstrap.reference(reference);
        }
        bootstrap.start();
        System.out.println("READY");
        Thread end = new Thread(DubboMain::exitWithStdin);
        end.setDaemon(true);
        end.start();
        while (true) {
            references.forEach((name, reference) -> System.out.println("CALL " + name + " " + outcome(reference)));
            Thread.sleep(CALL_EVERY_MILLIS);
        }
    }

    private static String outcome(ReferenceConfig<Greeter> reference) {
        try {
            return "answered " + reference.get().greet("you");
        } catch (RuntimeException failure) {
            return "failed " + String.valueOf(failure.getMessage()).replace('\n', ' ');
        }
    }

    private static void exitWithStdin() {
        try {
            System.in.transferTo(java.io.OutputStream.nullOutputStream());
        } catch (IOException gone) {
            // As good as its end.
        }
        System.exit(0);
    }
}
