package dev.peerbar.cli;

import dev.peerbar.endpoint.Endpoint;
import dev.peerbar.endpoint.EndpointContext;
import dev.peerbar.endpoint.EndpointOption;
import dev.peerbar.endpoint.EndpointOptions;
import dev.peerbar.endpoint.EndpointType;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * A type of endpoint, and what is asked of it. What a plugin throws in turn, which it should not,
 * is told in a sentence; what a type of our own throws is our mistake, and goes its way.
 *
 * @param jar the plugin it is from; empty if it is on the program's class path
 */
record FoundType(String name, EndpointType type, Optional<Path> jar) {

  /** Something that a type or its endpoint does. */
  @FunctionalInterface
  interface Call<T> {
    /**
     * Does it.
     *
     * @throws IOException with a sentence if something cannot be had
     * @throws IllegalArgumentException with a sentence if options do not go together
     */
    T run() throws IOException;
  }

  String description() {
    return type.description();
  }

  List<EndpointOption<?>> options() {
    return type.options();
  }

  Optional<EndpointOption<?>> option(String optionName) {
    return options().stream()
        .<EndpointOption<?>>map(option -> option)
        .filter(option -> option.name().equals(optionName))
        .findFirst();
  }

  /**
   * Has the type look whether options go together.
   *
   * @throws IllegalArgumentException with a sentence if they do not
   */
  EndpointType.Factory configure(EndpointOptions options) {
    try {
      return answered(() -> type.configure(options));
    } catch (IOException e) {
      throw new AssertionError("nothing is opened", e);
    }
  }

  /**
   * Has the type make an endpoint.
   *
   * @throws IllegalArgumentException with a sentence if the options do not go together
   * @throws IOException with a sentence if something cannot be opened
   */
  Endpoint make(EndpointOptions options, EndpointContext context) throws IOException {
    return answered(() -> configure(options).make(context));
  }

  /**
   * Does something that runs code of the type.
   *
   * @throws CommandFailedException if a plugin failed in it
   */
  <T> T answered(Call<T> step) throws IOException {
    if (jar.isEmpty()) {
      return step.run();
    }
    try {
      return Objects.requireNonNull(step.run(), "nothing was made");
    } catch (CommandFailedException e) {
      throw e;
    } catch (IOException | IllegalArgumentException e) {
      if (e.getMessage() == null) {
        throw failed(e);
      }
      throw e;
    } catch (RuntimeException | Error e) {
      throw failed(e);
    }
  }

  private CommandFailedException failed(Throwable cause) {
    return new CommandFailedException(
        "the endpoint '%s' of %s failed: %s".formatted(name, jar.orElseThrow(), where(cause)),
        cause);
  }

  /** What was thrown, and where: for the author, who is meant to see it without a debugger. */
  static String where(Throwable cause) {
    StackTraceElement[] trace = cause.getStackTrace();
    return trace.length == 0 ? cause.toString() : "%s (at %s)".formatted(cause, trace[0]);
  }
}
