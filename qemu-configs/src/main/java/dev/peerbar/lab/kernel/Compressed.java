package dev.peerbar.lab.kernel;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HexFormat;
import java.util.zip.GZIPInputStream;
import org.apache.commons.compress.compressors.bzip2.BZip2CompressorInputStream;
import org.apache.commons.compress.compressors.lz4.BlockLZ4CompressorInputStream;
import org.apache.commons.compress.compressors.lzma.LZMACompressorInputStream;
import org.apache.commons.compress.compressors.xz.XZCompressorInputStream;
import org.apache.commons.compress.compressors.zstandard.ZstdCompressorInputStream;

/** The ways in which kernels and their modules are compressed, told apart by their first bytes. */
enum Compressed {
  GZIP("1f8b"),
  XZ("fd377a585a00"),
  ZSTD("28b52ffd"),
  BZIP2("425a68"),
  LZMA("5d0000"),
  /** The kernel's own use of it: blocks of up to 8 MiB, each after its length. */
  LZ4("02214c18");

  private final byte[] magic;

  Compressed(String magic) {
    this.magic = HexFormat.of().parseHex(magic);
  }

  /** All that the bytes stand for: themselves, if they are not compressed. */
  static byte[] expand(byte[] bytes) throws IOException {
    for (Compressed way : values()) {
      if (way.begins(bytes)) {
        return way.decompress(bytes);
      }
    }
    return bytes;
  }

  boolean begins(byte[] bytes) {
    return bytes.length >= magic.length
        && java.util.Arrays.equals(bytes, 0, magic.length, magic, 0, magic.length);
  }

  private byte[] decompress(byte[] bytes) throws IOException {
    if (this == LZ4) {
      return blocks(bytes);
    }
    ByteArrayOutputStream all = new ByteArrayOutputStream(4 * bytes.length);
    try (InputStream in = open(new ByteArrayInputStream(bytes))) {
      in.transferTo(all);
    }
    return all.toByteArray();
  }

  private InputStream open(InputStream in) throws IOException {
    return switch (this) {
      case GZIP -> new GZIPInputStream(in);
      case XZ -> new XZCompressorInputStream(in);
      case ZSTD -> new ZstdCompressorInputStream(in);
      case BZIP2 -> new BZip2CompressorInputStream(in);
      case LZMA -> new LZMACompressorInputStream(in);
      case LZ4 -> throw new AssertionError("has no stream");
    };
  }

  private static byte[] blocks(byte[] bytes) throws IOException {
    ByteArrayOutputStream all = new ByteArrayOutputStream(4 * bytes.length);
    ByteBuffer in = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).position(4);
    while (in.remaining() >= Integer.BYTES) {
      int length = in.getInt();
      if (length <= 0 || length > in.remaining()) {
        throw new EOFException("an lz4 block of " + length + " bytes is cut short");
      }
      new BlockLZ4CompressorInputStream(new ByteArrayInputStream(bytes, in.position(), length))
          .transferTo(all);
      in.position(in.position() + length);
    }
    return all.toByteArray();
  }
}
