package dev.peerbar.cli.start;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.devices.nvme.NvmeRegisters;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.SharedMemory;
import dev.peerbar.protocol.Capabilities;
import dev.peerbar.protocol.DeviceGetInfo;
import dev.peerbar.protocol.DmaMap;
import dev.peerbar.protocol.client.VfioUserClient;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

/**
 * Has a server start, serve a client and end, while its JVM records what it will need. Run by the
 * launcher with the class path and the options that the program will have.
 */
final class Rehearsal {
  /** What the server needs of jars that are too old to be kept in a cache. */
  private static final Pattern OLD = Pattern.compile("picocli-[^/]*\\.jar");

  /**
   * The compilers would begin with all that was ever hot, and compete with the start for the
   * processors.
   */
  private static final List<String> WITHOUT_PROFILES =
      List.of("-XX:+UnlockDiagnosticVMOptions", "-XX:-AOTRecordTraining");

  private static final long LIMIT_SECONDS = 120;

  private static final long MAPPING_BYTES = 4096;

  private static final int REGISTERS = 0;
  private static final int CONFIG = 7;

  private final Path folder;

  private Rehearsal(Path folder) {
    this.folder = folder;
  }

  /**
   * Writes {@code classpath} and {@code program.aot}, which belong together, into the folder that
   * is the first argument. Each appears whole or not at all.
   *
   * @throws Exception if there can be no cache
   */
  public static void main(String[] arguments) throws Exception {
    new Rehearsal(Path.of(arguments[0])).run();
  }

  private void run() throws Exception {
    String classPath = classPath();
    Path written = Files.writeString(folder.resolve("classpath.new"), classPath);
    replace(written, folder.resolve("classpath"));
    Path sockets = Files.createTempDirectory("peerbar-rehearsal");
    try {
      Path cache = folder.resolve("program.aot.new");
      record(classPath, cache, sockets);
      replace(cache, folder.resolve("program.aot"));
    } finally {
      // The first of two servers to end takes the process with it, and the other's socket stays.
      Files.deleteIfExists(RehearsedServer.hbm(sockets));
      Files.deleteIfExists(RehearsedServer.nvme(sockets));
      Files.delete(sockets);
    }
  }

  private static void replace(Path from, Path to) throws IOException {
    Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
  }

  /** This JVM's, with old jars made new. */
  private String classPath() throws IOException {
    List<String> classPath = new ArrayList<>();
    for (String entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
      Path jar = Path.of(entry).toAbsolutePath();
      if (OLD.matcher(jar.getFileName().toString()).matches()) {
        Path modern = folder.resolve(jar.getFileName());
        Path written = folder.resolve(jar.getFileName() + ".new");
        ModernJar.write(jar, written);
        replace(written, modern);
        jar = modern;
      }
      classPath.add(jar.toString());
    }
    return String.join(File.pathSeparator, classPath);
  }

  private static void record(String classPath, Path cache, Path sockets) throws Exception {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
    command.addAll(WITHOUT_PROFILES);
    command.add("-XX:AOTCacheOutput=" + cache);
    command.addAll(List.of("-cp", classPath, RehearsedServer.class.getName(), sockets.toString()));
    Process server =
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    CompletableFuture.delayedExecutor(LIMIT_SECONDS, TimeUnit.SECONDS)
        .execute(server::destroyForcibly);
    try (BufferedReader out = server.inputReader()) {
      awaitReady(out);
      awaitReady(out);
      serveAClient(RehearsedServer.hbm(sockets), HbmRegisters.SCRATCH);
      serveAClient(RehearsedServer.nvme(sockets), NvmeRegisters.INTMS);
      // Process.destroy would close its output, and it may have much to say about the cache now.
      server.toHandle().destroy();
      out.lines().forEach(System.err::println);
      if (server.waitFor() != 0) {
        throw new IOException("the server ended with status " + server.exitValue());
      }
    } finally {
      server.destroyForcibly();
    }
  }

  /** The JVM itself may say something before. */
  private static void awaitReady(BufferedReader out) throws IOException {
    String line;
    do {
      line = out.readLine();
      if (line == null) {
        throw new IOException("the server ended before it was ready");
      }
    } while (!line.startsWith("ready "));
  }

  /**
   * What a client does first.
   *
   * @param register a 4-byte register that takes zeros without a consequence
   */
  private static void serveAClient(Path socket, long register) throws IOException {
    try (VfioUserClient client = VfioUserClient.connect(socket);
        FileDescriptor memory = SharedMemory.create("rehearsal", MAPPING_BYTES)) {
      client.negotiate(Capabilities.DEFAULTS);
      DeviceGetInfo.Reply device = client.deviceInfo();
      for (int region = 0; region < device.numRegions(); region++) {
        client.regionInfo(region).close();
      }
      for (int index = 0; index < device.numIrqs(); index++) {
        client.irqInfo(index);
      }
      client.readInt(CONFIG, 0);
      client.dmaMap(DmaMap.READABLE | DmaMap.WRITEABLE, 0, 0, MAPPING_BYTES, Optional.of(memory));
      client.readInt(REGISTERS, register);
      client.writeInt(REGISTERS, register, 0);
      client.dmaUnmap(0, MAPPING_BYTES);
      client.reset();
    }
  }
}
