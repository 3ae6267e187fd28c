package dev.peerbar.lab.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.zip.GZIPOutputStream;
import org.apache.commons.compress.compressors.bzip2.BZip2CompressorOutputStream;
import org.apache.commons.compress.compressors.lz4.BlockLZ4CompressorOutputStream;
import org.apache.commons.compress.compressors.lzma.LZMACompressorOutputStream;
import org.apache.commons.compress.compressors.xz.XZCompressorOutputStream;
import org.apache.commons.compress.compressors.zstandard.ZstdCompressorOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class KernelConfigTest {
  private static final String TEXT = "# a comment\nCONFIG_A=y\nCONFIG_B=m\n# CONFIG_C is not set\n";

  @TempDir Path directory;

  /** As {@code vmlinux} has it: between marks, gzipped by itself. */
  private static byte[] kernel() throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    bytes.writeBytes(new byte[100_000]);
    bytes.writeBytes("IKCFG_ST".getBytes(StandardCharsets.US_ASCII));
    bytes.writeBytes(
        MadeModule.compressed(GZIPOutputStream::new, TEXT.getBytes(StandardCharsets.UTF_8)));
    bytes.writeBytes("IKCFG_ED".getBytes(StandardCharsets.US_ASCII));
    bytes.writeBytes(new byte[100_000]);
    return bytes.toByteArray();
  }

  private static byte[] payload(Compressed way) throws IOException {
    byte[] kernel = kernel();
    byte[] length =
        ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(kernel.length).array();
    byte[] compressed =
        switch (way) {
          // gzip itself has the length at its end.
          case GZIP -> {
            yield MadeModule.compressed(GZIPOutputStream::new, kernel);
          }
          case XZ -> MadeModule.compressed(XZCompressorOutputStream::new, kernel);
          case ZSTD -> MadeModule.compressed(ZstdCompressorOutputStream::new, kernel);
          case BZIP2 -> MadeModule.compressed(BZip2CompressorOutputStream::new, kernel);
          case LZMA -> MadeModule.compressed(LZMACompressorOutputStream::new, kernel);
          case LZ4 -> lz4(kernel);
        };
    return way == Compressed.GZIP
        ? compressed
        : ByteBuffer.allocate(compressed.length + 4).put(compressed).put(length).array();
  }

  // As `lz4 -l` writes it.
  private static byte[] lz4(byte[] kernel) throws IOException {
    byte[] block = MadeModule.compressed(BlockLZ4CompressorOutputStream::new, kernel);
    return ByteBuffer.allocate(8 + block.length)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putInt(0x184c2102)
        .putInt(block.length)
        .put(block)
        .array();
  }

  private static void isThere(Optional<KernelConfig> config, String source) {
    assertThat(config).isPresent();
    assertThat(config.get().source()).isEqualTo(source);
    assertThat(config.get().values())
        .containsEntry("CONFIG_A", "y")
        .containsEntry("CONFIG_B", "m")
        .doesNotContainKey("CONFIG_C");
  }

  @ParameterizedTest
  @EnumSource
  void anImageHasItHoweverItIsCompressed(Compressed way) throws IOException {
    Path image = Files.write(directory.resolve("bzImage"), BzImage.of("7", payload(way)));
    isThere(KernelConfig.find(image, Optional.empty()), "the image itself");
  }

  @Test
  void anElfImageHasItToo() throws IOException {
    Path image = Files.write(directory.resolve("vmlinux"), kernel());
    isThere(KernelConfig.find(image, Optional.empty()), "the image itself");
  }

  private void isFoundIn(String place, String image, Optional<String> modules) throws IOException {
    Path file = directory.resolve(place);
    Files.createDirectories(file.getParent());
    Files.writeString(file, TEXT);
    Path kernel = directory.resolve(image);
    Files.createDirectories(kernel.getParent());
    Files.write(kernel, BzImage.of("7", new byte[10]));
    isThere(KernelConfig.find(kernel, modules.map(directory::resolve)), file.toString());
  }

  @Test
  void distributionsHaveItBesideTheImage() throws IOException {
    isFoundIn("boot/config-7.3-x", "boot/vmlinuz-7.3-x", Optional.empty());
  }

  @Test
  void aBuildTreeHasItAtItsTop() throws IOException {
    isFoundIn("linux/.config", "linux/arch/x86/boot/bzImage", Optional.empty());
  }

  @Test
  void theCacheHasItBesideTheImage() throws IOException {
    isFoundIn("kernel-1/config", "kernel-1/bzImage", Optional.empty());
  }

  @Test
  void modulesHaveItInTheirDirectory() throws IOException {
    isFoundIn("lib/7.3/config", "boot/bzImage", Optional.of("lib/7.3"));
    isFoundIn("lib/7.4/build/.config", "boot/bzImage", Optional.of("lib/7.4"));
  }

  @Test
  void otherFilesHaveNone() throws IOException {
    for (byte[] content :
        new byte[][] {
          {},
          "text".getBytes(StandardCharsets.UTF_8),
          BzImage.of("7", new byte[0]),
          BzImage.of("7", new byte[] {0x1f, (byte) 0x8b, 1, 2, 3}),
          BzImage.of("7", new byte[] {(byte) 0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 1, 2, 3, 4}),
          BzImage.of("7", new byte[] {2, 0x21, 0x4c, 0x18, -1, -1, -1, 0x7f, 0, 0, 0, 0})
        }) {
      Path image = Files.write(directory.resolve("image"), content);
      assertThat(KernelConfig.find(image, Optional.empty())).isEmpty();
    }
    assertThat(KernelConfig.find(directory.resolve("nowhere"), Optional.empty())).isEmpty();
    assertThat(KernelConfig.find(directory, Optional.empty())).isEmpty();
  }

  @Test
  void anImageSaysItsRelease() throws IOException {
    Path image = Files.write(directory.resolve("image"), BzImage.of("7.3.4+x", new byte[0]));
    assertThat(KernelImage.read(image).release()).contains("7.3.4+x");
    assertThat(KernelImage.read(Files.writeString(image, "text")).release()).isEmpty();
  }
}
