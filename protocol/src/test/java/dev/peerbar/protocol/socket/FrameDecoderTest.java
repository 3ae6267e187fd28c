package dev.peerbar.protocol.socket;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.FileStatus;
import dev.peerbar.linux.OpenDescriptors;
import dev.peerbar.linux.SharedMemory;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.Descriptors;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.Header;
import dev.peerbar.protocol.RegionRead;
import dev.peerbar.protocol.RegionWrite;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.embedded.EmbeddedChannel;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class FrameDecoderTest {
  private static final String MEMORY = "frame-decoder";
  private static final int MAX_DESCRIPTORS = 4;
  private static final int MAX_SIZE = 1024;

  private final EmbeddedChannel channel =
      new EmbeddedChannel(new FrameDecoder(new FrameAssembler(MAX_SIZE, MAX_DESCRIPTORS)));
  private final List<ByteBuf> fed = new ArrayList<>();

  @AfterEach
  void nothingLeaks() throws IOException {
    channel.finishAndReleaseAll();
    assertThat(OpenDescriptors.memoryFiles(MEMORY)).isZero();
    assertThat(fed).allSatisfy(bytes -> assertThat(bytes.refCnt()).isZero());
  }

  @Test
  void oneReceiveOneFrame() {
    feed(read(7));
    try (Received frame = next()) {
      assertThat(frame.id()).isEqualTo(7);
      assertThat(frame.payloadLength()).isEqualTo(RegionRead.DATA);
      assertThat(frame.descriptors()).isZero();
    }
    assertThat(channel.inboundMessages()).isEmpty();
  }

  @Test
  void manyFramesInOneReceive() {
    feed(Unpooled.wrappedBuffer(read(1), write(2, 33), read(3)));
    try (Received one = next();
        Received two = next();
        Received three = next()) {
      assertThat(List.of(one.id(), two.id(), three.id())).containsExactly(1, 2, 3);
      assertThat(two.payloadLength()).isEqualTo(RegionWrite.DATA + 33);
    }
  }

  @Test
  void framesCutAnywhere() {
    ByteBuf whole = Unpooled.wrappedBuffer(write(1, 20), reset(2), read(3));
    for (int first = 0; first <= whole.readableBytes(); first++) {
      for (int second = first; second <= whole.readableBytes(); second++) {
        feed(whole.copy(0, first));
        feed(whole.copy(first, second - first));
        feed(whole.copy(second, whole.readableBytes() - second));
        try (Received one = next();
            Received two = next();
            Received three = next()) {
          assertThat(List.of(one.id(), two.id(), three.id())).containsExactly(1, 2, 3);
          assertThat(one.lastByte()).isEqualTo((byte) 19);
          assertThat(two.payloadLength()).isZero();
        }
      }
    }
    whole.release();
  }

  @Test
  void framesByteByByte() {
    ByteBuf whole = Unpooled.wrappedBuffer(read(1), write(2, 5));
    for (int i = 0; i < whole.readableBytes(); i++) {
      feed(whole.copy(i, 1));
    }
    whole.release();
    try (Received one = next();
        Received two = next()) {
      assertThat(List.of(one.id(), two.id())).containsExactly(1, 2);
    }
  }

  @Test
  void descriptorsOfOneFrameInOrder() throws Exception {
    feed(read(1), memory(1), memory(2));
    try (Received frame = next()) {
      assertThat(frame.descriptorPages()).containsExactly(1L, 2L);
    }
  }

  @Test
  void descriptorsBelongToTheLastFrameOfTheReceive() throws Exception {
    feed(Unpooled.wrappedBuffer(read(1), read(2)), memory(1));
    try (Received one = next();
        Received two = next()) {
      assertThat(one.descriptors()).isZero();
      assertThat(two.descriptorPages()).containsExactly(1L);
    }
  }

  @Test
  void descriptorsBelongToAFrameThatOnlyBegins() throws Exception {
    ByteBuf second = write(2, 100);
    for (int part = 1; part < second.readableBytes(); part++) {
      feed(Unpooled.wrappedBuffer(read(1), second.copy(0, part)), memory(1));
      feed(second.copy(part, second.readableBytes() - part));
      try (Received one = next();
          Received two = next()) {
        assertThat(one.descriptors()).isZero();
        assertThat(two.descriptorPages()).containsExactly(1L);
      }
    }
    second.release();
  }

  @Test
  void descriptorsBelongToAFrameThatContinues() throws Exception {
    ByteBuf frame = write(1, 100);
    feed(frame.copy(0, 10), memory(1));
    feed(frame.copy(10, 60), memory(2));
    feed(frame.copy(70, frame.readableBytes() - 70), memory(3));
    frame.release();
    try (Received received = next()) {
      assertThat(received.descriptorPages()).containsExactly(1L, 2L, 3L);
    }
  }

  @Test
  void theEndOfAFrameDoesNotGetTheDescriptorsOfTheNext() throws Exception {
    ByteBuf first = write(1, 100);
    feed(first.copy(0, 50));
    feed(Unpooled.wrappedBuffer(first.copy(50, first.readableBytes() - 50), read(2)), memory(1));
    first.release();
    try (Received one = next();
        Received two = next()) {
      assertThat(one.descriptors()).isZero();
      assertThat(two.descriptorPages()).containsExactly(1L);
    }
  }

  @Test
  void tooManyDescriptorsAreClosedAndTold() throws Exception {
    feed(read(1), memory(1), memory(2), memory(3), memory(4), memory(5));
    ByteBuf frame = read(2);
    feed(frame.copy(0, 20), memory(1), memory(2), memory(3));
    feed(frame.copy(20, frame.readableBytes() - 20), memory(4), memory(5));
    frame.release();
    try (Received one = next();
        Received two = next()) {
      assertThat(one.descriptors()).isEqualTo(MAX_DESCRIPTORS);
      assertThat(one.truncated()).isTrue();
      assertThat(two.descriptors()).isEqualTo(MAX_DESCRIPTORS);
      assertThat(two.truncated()).isTrue();
    }
  }

  @Test
  void lostDescriptorsAreTold() {
    ByteBuf bytes = read(1);
    fed.add(bytes);
    channel.writeInbound(new DescriptorBytes(bytes, Descriptors.of(List.of(), true)));
    feed(read(2));
    try (Received one = next();
        Received two = next()) {
      assertThat(one.truncated()).isTrue();
      assertThat(two.truncated()).isFalse();
    }
  }

  @Test
  void aSizeLessThanAHeaderIsLostFraming() {
    for (int size : new int[] {0, 15}) {
      expectLost(size);
    }
  }

  @Test
  void aSizeBeyondTheLimitIsLostFraming() {
    for (int size : new int[] {MAX_SIZE + 1, Integer.MAX_VALUE, -1, Integer.MIN_VALUE}) {
      expectLost(size);
    }
  }

  private void expectLost(int size) {
    EmbeddedChannel lost =
        new EmbeddedChannel(new FrameDecoder(new FrameAssembler(MAX_SIZE, MAX_DESCRIPTORS)));
    ByteBuf bytes = read(1);
    bytes.setIntLE(bytes.readerIndex() + 4, size);
    assertThatThrownBy(() -> lost.writeInbound(bytes)).isInstanceOf(FramingException.class);
    assertThat(lost.isOpen()).isFalse();
    assertThat(lost.inboundMessages()).isEmpty();
    assertThat(bytes.refCnt()).isZero();
  }

  @Test
  void lostFramingClosesDescriptorsAndDecodesNoMore() throws Exception {
    ByteBuf bad = read(2);
    bad.setIntLE(bad.readerIndex() + 4, 3);
    ByteBuf bytes = Unpooled.wrappedBuffer(read(1), bad, read(3));
    assertThatThrownBy(() -> feed(bytes, memory(1))).isInstanceOf(FramingException.class);
    assertThat(OpenDescriptors.memoryFiles(MEMORY)).isZero();
    try (Received frame = next()) {
      assertThat(frame.id()).isEqualTo(1);
    }
    assertThat(channel.inboundMessages()).isEmpty();
  }

  @Test
  void theLargestFrameIsTaken() {
    feed(write(1, MAX_SIZE - Header.SIZE - RegionWrite.DATA));
    try (Received frame = next()) {
      assertThat(frame.payloadLength()).isEqualTo(MAX_SIZE - Header.SIZE);
    }
  }

  @Test
  void closeInMidFrameClosesItsDescriptors() throws Exception {
    ByteBuf frame = read(1);
    feed(frame.copy(0, 24), memory(1), memory(2));
    frame.release();
    assertThat(OpenDescriptors.memoryFiles(MEMORY)).isEqualTo(2);
    channel.close().syncUninterruptibly();
    assertThat(OpenDescriptors.memoryFiles(MEMORY)).isZero();
    assertThat(channel.inboundMessages()).isEmpty();
  }

  @Test
  void releaseClosesOnlyWhatNobodyTook() throws Exception {
    feed(read(1), memory(1), memory(2));
    Frame frame = channel.readInbound();
    FileDescriptor kept = frame.descriptors().take(1).orElseThrow();
    assertThat(frame.descriptors().take(1)).isEmpty();
    frame.release();
    assertThat(OpenDescriptors.memoryFiles(MEMORY)).isEqualTo(1);
    assertThat(FileStatus.of(kept).size()).isEqualTo(2 * 4096);
    kept.close();
  }

  @Test
  void framesWaitWhileReadingIsOff() throws Exception {
    channel.pipeline().addLast(new OneAtATime());
    feed(Unpooled.wrappedBuffer(read(1), read(2), read(3)), memory(1));
    feed(read(4));
    for (int id = 1; id <= 4; id++) {
      try (Received frame = next()) {
        assertThat(frame.id()).isEqualTo(id);
        assertThat(frame.descriptors()).isEqualTo(id == 3 ? 1 : 0);
      }
      assertThat(channel.inboundMessages()).isEmpty();
      channel.config().setAutoRead(true);
      channel.runPendingTasks();
    }
    assertThat(channel.config().isAutoRead()).isTrue();
  }

  @Test
  void framesThatWaitGoWithTheChannel() throws Exception {
    channel.pipeline().addLast(new OneAtATime());
    feed(Unpooled.wrappedBuffer(read(1), read(2), read(3)), memory(1));
    channel.close().syncUninterruptibly();
    assertThat(OpenDescriptors.memoryFiles(MEMORY)).isZero();
    try (Received frame = next()) {
      assertThat(frame.id()).isEqualTo(1);
    }
    assertThat(channel.inboundMessages()).isEmpty();
  }

  /** Wants no more after each. */
  private static final class OneAtATime extends ChannelInboundHandlerAdapter {
    @Override
    public void channelRead(ChannelHandlerContext context, Object frame) {
      context.channel().config().setAutoRead(false);
      context.fireChannelRead(frame);
    }
  }

  @Test
  void aHeaderAloneAllocatesLittle() throws Exception {
    long large = 1 << 20;
    UnpooledByteBufAllocator allocator = new UnpooledByteBufAllocator(true);
    FrameAssembler assembler = new FrameAssembler(2 << 20, MAX_DESCRIPTORS);
    ByteBuf header = read(1);
    int headerLength = header.readableBytes();
    header.setIntLE(4, (int) large);
    List<Frame> frames = new ArrayList<>();
    assembler.add(header, Descriptors.none(), allocator, frames::add);
    assertThat(allocator.metric().usedDirectMemory()).isPositive().isLessThan(16 << 10);
    for (long left = large - headerLength; left > 0; left -= 1000) {
      int length = (int) Math.min(1000, left);
      ByteBuf piece = Unpooled.buffer().writeZero(length);
      assembler.add(piece, Descriptors.none(), allocator, frames::add);
    }
    assertThat(frames)
        .singleElement()
        .satisfies(frame -> {
          assertThat(frame.header().size()).isEqualTo((int) large);
          frame.release();
        });
  }

  /** Answers reads with their id, says nothing to resets, and leaves the rest. */
  private static boolean readsInPlace(ByteBuf message, int size, ByteBuf reply) {
    Header header = Header.decode(message);
    if (header.command() == Command.REGION_READ.code()) {
      assertThat(size).isEqualTo(header.size());
      header.reply(Integer.BYTES).encode(reply);
      reply.writeIntLE(header.id());
      return true;
    }
    return header.command() == Command.DEVICE_RESET.code();
  }

  private void handleInPlace() {
    channel.pipeline().get(FrameDecoder.class).handleInPlace(FrameDecoderTest::readsInPlace);
  }

  private void expectReply(int id) {
    ByteBuf reply = channel.readOutbound();
    assertThat(Header.decode(reply))
        .isEqualTo(
            new Header(
                id,
                Command.REGION_READ.code(),
                Header.SIZE + Integer.BYTES,
                Header.Type.REPLY,
                false,
                false,
                0));
    assertThat(reply.getIntLE(Header.SIZE)).isEqualTo(id);
    reply.release();
  }

  @Test
  void messagesAreHandledInPlaceAsLongAsTheyAreForTheHandler() {
    handleInPlace();
    feed(Unpooled.wrappedBuffer(read(1), reset(2), read(3), write(4, 33), read(5)));
    expectReply(1);
    expectReply(3);
    try (Received write = next();
        Received after = next()) {
      assertThat(write.id()).isEqualTo(4);
      assertThat(write.payloadLength()).isEqualTo(RegionWrite.DATA + 33);
      // What came with it stays behind it.
      assertThat(after.id()).isEqualTo(5);
    }
    feed(read(6));
    expectReply(6);
    assertThat(channel.inboundMessages()).isEmpty();
    assertThat(channel.outboundMessages()).isEmpty();
  }

  @Test
  void nothingOvertakesAMessageThatHasNotComeWhole() {
    handleInPlace();
    ByteBuf cut = write(1, 20);
    feed(cut.copy(0, 30));
    feed(Unpooled.wrappedBuffer(cut.copy(30, cut.readableBytes() - 30), read(2)));
    cut.release();
    try (Received write = next();
        Received read = next()) {
      assertThat(write.id()).isEqualTo(1);
      assertThat(read.id()).isEqualTo(2);
    }
    ByteBuf half = read(3);
    feed(half.copy(0, 20));
    feed(half.copy(20, half.readableBytes() - 20));
    half.release();
    try (Received read = next()) {
      assertThat(read.id()).isEqualTo(3);
    }
    assertThat(channel.outboundMessages()).isEmpty();
  }

  @Test
  void messagesWithDescriptorsAreForThePipeline() throws IOException {
    handleInPlace();
    feed(read(1), memory(1));
    try (Received read = next()) {
      assertThat(read.id()).isEqualTo(1);
      assertThat(read.descriptors()).isOne();
    }
    assertThat(channel.outboundMessages()).isEmpty();
  }

  @Test
  void nothingIsHandledInPlaceWhileReadingIsOff() {
    handleInPlace();
    channel.config().setAutoRead(false);
    feed(read(1));
    try (Received read = next()) {
      assertThat(read.id()).isEqualTo(1);
    }
    assertThat(channel.outboundMessages()).isEmpty();
  }

  @Test
  void aHandlerThatFailsIsTold() {
    channel
        .pipeline()
        .get(FrameDecoder.class)
        .handleInPlace((_, _, _) -> {
          throw new IllegalStateException("broken");
        });
    assertThatThrownBy(() -> feed(read(1))).isInstanceOf(IllegalStateException.class);
  }

  private void feed(ByteBuf bytes, FileDescriptor... descriptors) {
    fed.add(bytes);
    channel.writeInbound(
        descriptors.length == 0 ? bytes : new DescriptorBytes(bytes, Descriptors.of(descriptors)));
  }

  private Received next() {
    Frame frame = channel.readInbound();
    assertThat(frame).isNotNull();
    return new Received(frame);
  }

  private static FileDescriptor memory(int pages) throws IOException {
    return SharedMemory.create(MEMORY, pages * 4096L);
  }

  private static ByteBuf read(int id) {
    ByteBuf bytes = Unpooled.buffer();
    Header.request(id, Command.REGION_READ, RegionRead.DATA, false).encode(bytes);
    new RegionRead.Request(0, 0, 4).encode(bytes);
    return bytes;
  }

  private static ByteBuf reset(int id) {
    ByteBuf bytes = Unpooled.buffer();
    Header.request(id, Command.DEVICE_RESET, 0, false).encode(bytes);
    return bytes;
  }

  /** Data that count up from 0. */
  private static ByteBuf write(int id, int length) {
    ByteBuf data = Unpooled.buffer();
    for (int i = 0; i < length; i++) {
      data.writeByte(i);
    }
    ByteBuf bytes = Unpooled.buffer();
    Header.request(id, Command.REGION_WRITE, RegionWrite.DATA + length, false).encode(bytes);
    new RegionWrite.Request(0, 0, data).encode(bytes);
    return bytes;
  }

  /** A frame, released at the end of its test. */
  private record Received(Frame frame) implements AutoCloseable {
    int id() {
      return frame.header().id();
    }

    int payloadLength() {
      return frame.payload().readableBytes();
    }

    byte lastByte() {
      return frame.payload().getByte(frame.payload().writerIndex() - 1);
    }

    int descriptors() {
      return frame.descriptors().count();
    }

    boolean truncated() {
      return frame.descriptors().truncated();
    }

    List<Long> descriptorPages() throws IOException {
      List<Long> pages = new ArrayList<>();
      for (int i = 0; i < descriptors(); i++) {
        pages.add(FileStatus.of(frame.descriptors().get(i).orElseThrow()).size() / 4096);
      }
      return pages;
    }

    @Override
    public void close() {
      frame.release();
    }
  }
}
