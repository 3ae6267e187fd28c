package dev.peerbar.lab.kernel;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.GZIPOutputStream;
import org.apache.commons.compress.compressors.xz.XZCompressorOutputStream;
import org.apache.commons.compress.compressors.zstandard.ZstdCompressorOutputStream;

/** Files that look like modules: an ELF header's beginning and what modpost would have written. */
public final class MadeModule {
  private MadeModule() {}

  @FunctionalInterface
  interface Compressor {
    OutputStream on(OutputStream out) throws IOException;
  }

  /**
   * A module.
   *
   * @param info its {@code key=value} strings
   */
  public static byte[] module(String... info) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    bytes.writeBytes("\u007fELF\0".getBytes(StandardCharsets.US_ASCII));
    for (String line : info) {
      bytes.writeBytes((line + "\0").getBytes(StandardCharsets.US_ASCII));
    }
    return bytes.toByteArray();
  }

  /** Writes a module under a name whose end says how it is compressed. */
  public static void write(Path file, String... info) throws IOException {
    Files.createDirectories(file.getParent());
    String name = file.getFileName().toString();
    byte[] module = module(info);
    Files.write(
        file,
        name.endsWith(".xz")
            ? compressed(XZCompressorOutputStream::new, module)
            : name.endsWith(".zst")
                ? compressed(ZstdCompressorOutputStream::new, module)
                : name.endsWith(".gz") ? compressed(GZIPOutputStream::new, module) : module);
  }

  static byte[] compressed(Compressor compressor, byte[] bytes) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (OutputStream in = compressor.on(out)) {
      in.write(bytes);
    }
    return out.toByteArray();
  }
}
