package dev.peerbar.protocol;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.linux.Errno;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;

class CodecPropertyTest {
  @Provide
  Arbitrary<Samples.Sample> samples() {
    return Samples.all();
  }

  @Provide
  Arbitrary<Samples.Sample> fixed() {
    return Samples.fixed();
  }

  @Property(tries = 4000, seed = "1")
  void whatIsEncodedDecodesToTheSame(
      @ForAll("samples") Samples.Sample sample, @ForAll @IntRange(max = 9) int before)
      throws InvalidMessageException {
    ByteBuf bytes = Unpooled.buffer().writeZero(before).skipBytes(before);
    sample.payload().encode(bytes);

    assertThat(bytes.readableBytes()).isEqualTo(sample.payload().encodedSize());
    assertThat(sample.decoder().decode(bytes)).isEqualTo(sample.payload());
    assertThat(bytes.readerIndex()).isEqualTo(before);
  }

  @Property(tries = 2000, seed = "1")
  void whatFollowsATableIsNotLookedAt(
      @ForAll("fixed") Samples.Sample sample, @ForAll @Size(min = 1, max = 200) byte[] more)
      throws InvalidMessageException {
    ByteBuf bytes = Unpooled.buffer();
    sample.payload().encode(bytes);
    bytes.writeBytes(more);
    assertThat(sample.decoder().decode(bytes)).isEqualTo(sample.payload());
  }

  @Property(tries = 4000, seed = "1")
  void anyBytesDecodeOrAreRefused(
      @ForAll("samples") Samples.Sample sample, @ForAll @Size(max = 200) byte[] bytes) {
    decodesOrIsRefused(sample.decoder(), Unpooled.wrappedBuffer(bytes));
  }

  @Property(tries = 6000, seed = "1")
  void damagedPayloadsDecodeOrAreRefused(
      @ForAll("samples") Samples.Sample sample,
      @ForAll @IntRange(max = 400) int length,
      @ForAll @IntRange(max = 400) int place,
      @ForAll byte value) {
    ByteBuf whole = Unpooled.buffer();
    sample.payload().encode(whole);
    // As long as it is and no longer, so that a read beyond the end is one beyond the buffer.
    ByteBuf damaged = Unpooled.buffer(Math.min(length, whole.readableBytes() + 1));
    damaged.writerIndex(damaged.capacity());
    damaged.setBytes(0, whole, 0, Math.min(damaged.capacity(), whole.readableBytes()));
    if (place < damaged.capacity()) {
      damaged.setByte(place, value);
    }
    decodesOrIsRefused(sample.decoder(), damaged);
  }

  private static void decodesOrIsRefused(Samples.Decoder decoder, ByteBuf bytes) {
    int length = bytes.readableBytes();
    try {
      Payload payload = decoder.decode(bytes);
      assertThat(payload).isNotNull();
    } catch (InvalidMessageException e) {
      assertThat(e.errno()).isEqualTo(Errno.EINVAL);
    }
    assertThat(bytes.readerIndex()).isZero();
    assertThat(bytes.readableBytes()).isEqualTo(length);
  }

  @Property(seed = "1")
  void headersDecodeToTheSame(
      @ForAll @IntRange(max = 0xFFFF) int id,
      @ForAll @IntRange(max = 0xFFFF) int command,
      @ForAll int size,
      @ForAll Header.Type type,
      @ForAll boolean noReply,
      @ForAll boolean error,
      @ForAll int errno) {
    Header header = new Header(id, command, size, type, noReply, error, errno);
    ByteBuf bytes = Unpooled.buffer();
    header.encode(bytes);
    assertThat(bytes.readableBytes()).isEqualTo(Header.SIZE);
    assertThat(Header.decode(bytes)).isEqualTo(header);
  }
}
