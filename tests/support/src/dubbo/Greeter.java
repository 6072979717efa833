package lab;

/** What is called. */
public interface Greeter {
    String greet(String who);
}
