package dev.peerbar.cli;

import ch.qos.logback.classic.LoggerContext;
import java.io.PrintWriter;
import java.util.Comparator;
import java.util.List;
import java.util.ServiceLoader;
import org.slf4j.LoggerFactory;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IParameterExceptionHandler;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.UnmatchedArgumentException;

/**
 * The program. Exit status 0: done; 1: it could not be done; 2: it was asked wrongly; others as a
 * command says.
 */
@Command(
    name = "peerbar",
    description = "Virtual PCIe endpoints for QEMU guests, over vfio-user.",
    mixinStandardHelpOptions = true,
    versionProvider = Version.class,
    synopsisSubcommandLabel = "COMMAND")
public final class Main implements Runnable {
  static final String SERVE = "serve";

  @Spec private CommandSpec spec;

  private Main() {}

  public static void main(String[] arguments) {
    if (arguments.length == 0 || !arguments[0].equals(SERVE)) {
      // Only a server's comings and goings are news.
      System.setProperty("peerbar.log", System.getProperty("peerbar.log", "WARN"));
    }
    // Whatever dies is to be known, and not only by who looks at the console.
    Thread.setDefaultUncaughtExceptionHandler((thread, cause) ->
        LoggerFactory.getLogger(Main.class).error("thread {} died", thread.getName(), cause));
    System.exit(run(new PrintWriter(System.err, true), arguments));
  }

  /**
   * Carries out a command line.
   *
   * @return the exit status
   */
  static int run(PrintWriter errors, String... arguments) {
    CommandLine commandLine;
    try {
      commandLine = commandLine(arguments);
    } catch (CommandFailedException e) {
      errors.println(explain(e));
      return e.status();
    }
    return commandLine.setErr(errors).execute(arguments);
  }

  /** Writes what has been logged so far, if anybody takes it, and logs no more. Bounded in time. */
  static void endLog() {
    if (LoggerFactory.getILoggerFactory() instanceof LoggerContext logback) {
      logback.stop();
    }
  }

  /**
   * The whole command line, with the subcommands of every module on the class path, or the one that
   * is to be carried out: each takes time to describe.
   *
   * @param arguments that will be carried out; none for a command line that takes any, but knows no
   *     plugins
   * @throws CommandFailedException with a sentence if a plugin that they name cannot be used
   */
  public static CommandLine commandLine(String... arguments) {
    String name = arguments.length == 0 ? "" : arguments[0];
    List<ServiceLoader.Provider<Subcommand>> all =
        ServiceLoader.load(Subcommand.class).stream()
            .sorted(Comparator.comparing(Main::name))
            .toList();
    List<ServiceLoader.Provider<Subcommand>> named =
        all.stream().filter(command -> name(command).equals(name)).toList();
    CommandLine commandLine = new CommandLine(new Main());
    for (ServiceLoader.Provider<Subcommand> command : named.isEmpty() ? all : named) {
      commandLine.addSubcommand(command.get().commandLine(List.of(arguments)));
    }
    commandLine.setCaseInsensitiveEnumValuesAllowed(true);
    commandLine.setExecutionExceptionHandler(Main::explain);
    IParameterExceptionHandler standard = commandLine.getParameterExceptionHandler();
    commandLine.setParameterExceptionHandler(
        (wrong, whole) -> standard.handleParseException(explain(wrong), whole));
    return commandLine;
  }

  private static ParameterException explain(ParameterException wrong) {
    return wrong instanceof UnmatchedArgumentException unmatched
            && wrong.getCommandLine().getCommand() instanceof ServeCommand serve
        ? serve.explain(unmatched)
        : wrong;
  }

  private static String name(ServiceLoader.Provider<Subcommand> command) {
    return command.type().getAnnotation(Command.class).name();
  }

  private static int explain(
      Exception exception, CommandLine commandLine, CommandLine.ParseResult parsed)
      throws Exception {
    if (exception instanceof CommandFailedException failed) {
      commandLine.getErr().println(explain(failed));
      return failed.status();
    }
    throw exception;
  }

  private static String explain(CommandFailedException failed) {
    return "peerbar: " + failed.getMessage();
  }

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "Missing required subcommand");
  }
}
