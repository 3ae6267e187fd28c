package dev.peerbar.server.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import dev.peerbar.devices.hbm.HbmConfig;
import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.protocol.Capabilities;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.Descriptors;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.Header;
import dev.peerbar.protocol.Payload;
import dev.peerbar.protocol.RegionRead;
import dev.peerbar.protocol.RegionWrite;
import dev.peerbar.protocol.Version;
import dev.peerbar.protocol.socket.FrameDecoder;
import dev.peerbar.protocol.socket.InPlaceHandler;
import dev.peerbar.server.ServerOptions;
import dev.peerbar.server.function.ServedFunction;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import java.io.IOException;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What is answered in place is what the pipeline answers. */
class RegisterAccessTest {
  private static final long SEED = 7;
  private static final long MEMORY = 1 << 20;
  private static final int BARS_AND_CONFIG = 8;

  private final Random random = new Random(SEED);
  private final ByteBuf reply =
      Unpooled.directBuffer(InPlaceHandler.MOST_REPLY, InPlaceHandler.MOST_REPLY);
  private Served inPlace;
  private Served pipeline;
  private RegisterAccess access;

  /** A function with a session whose pipeline is given frames: nothing comes in place. */
  private record Served(ServedFunction function, EmbeddedChannel channel) {
    static Served start() throws IOException {
      EmbeddedChannel channel = new EmbeddedChannel();
      ServedFunction function =
          new ServedFunction(
              "hbm",
              new HbmEndpoint(new HbmConfig(MEMORY, 2, DoorbellMode.MAP, false)),
              channel.eventLoop(),
              ServerOptions.DMA_MAPS,
              false);
      channel.pipeline().addLast(new FrameDecoder(), new Session(function, new Free()));
      Served served = new Served(function, channel);
      served.answer(
          frame(Command.VERSION, false, new Version.Request(0, 1, Capabilities.DEFAULTS)));
      return served;
    }

    /** The reply, or nothing. */
    byte[] answer(Frame request) {
      channel.writeInbound(request);
      Frame reply = channel.readOutbound();
      if (reply == null) {
        return new byte[0];
      }
      ByteBuf bytes = Unpooled.buffer();
      reply.header().encode(bytes);
      bytes.writeBytes(reply.payload());
      reply.release();
      return ByteBufUtil.getBytes(bytes);
    }

    void close() {
      channel.finishAndReleaseAll();
      function.close();
    }
  }

  private static final class Free implements ClientSlot {
    @Override
    public boolean isBeingLeft() {
      return false;
    }

    @Override
    public void whenFree(Runnable action) {}

    @Override
    public boolean take() {
      return true;
    }

    @Override
    public void leave() {}
  }

  private static Frame frame(Command command, boolean noReply, Payload payload) {
    return Frame.request(
        0x1234, command, noReply, payload, Descriptors.none(), Unpooled.buffer().alloc());
  }

  @BeforeEach
  void serve() throws IOException {
    inPlace = Served.start();
    pipeline = Served.start();
    access = new RegisterAccess(inPlace.function(), _ -> fail("nothing is to wait for"));
  }

  @AfterEach
  void close() {
    inPlace.close();
    pipeline.close();
    reply.release();
  }

  private long offset(int region) {
    long size =
        region < 0 || region > BARS_AND_CONFIG
            ? 0
            : pipeline.function().regions().get(region).size();
    return switch (random.nextInt(6)) {
      case 0 -> size - random.nextInt(10);
      case 1 -> random.nextLong();
      case 2 -> 0x8000 + 4L * random.nextInt(80);
      default -> random.nextInt(0x180);
    };
  }

  private Frame request() {
    int region = random.nextInt(-1, BARS_AND_CONFIG + 3);
    long offset = offset(region);
    int count = random.nextInt(10);
    boolean noReply = random.nextInt(4) == 0;
    if (random.nextBoolean()) {
      return frame(Command.REGION_READ, noReply, new RegionRead.Request(offset, region, count));
    }
    byte[] data = new byte[count];
    random.nextBytes(data);
    return frame(
        Command.REGION_WRITE,
        noReply,
        new RegionWrite.Request(offset, region, Unpooled.wrappedBuffer(data)));
  }

  /** The request as it is received, others before and behind it. */
  private static ByteBuf received(Frame request) {
    ByteBuf bytes = Unpooled.directBuffer();
    bytes.writeLong(-1);
    request.header().encode(bytes);
    bytes.writeBytes(request.payload(), 0, request.payload().readableBytes());
    bytes.writeLong(-1);
    return bytes.readerIndex(Long.BYTES);
  }

  @Test
  void everyAccessHasTheReplyAndTheEffectThatThePipelineGives() {
    int answered = 0;
    for (int i = 0; i < 20_000; i++) {
      Frame request = request();
      String what = i + ": " + request.header();
      ByteBuf message = received(request);
      reply.clear();
      boolean handled = access.handle(message, request.header().size(), reply);
      message.release();
      byte[] got = ByteBufUtil.getBytes(reply);
      if (handled) {
        answered++;
      } else {
        assertThat(got).as(what).isEmpty();
        got = inPlace.answer(request.retain());
        request.payload().readerIndex(0);
      }
      assertThat(got).as(what).isEqualTo(pipeline.answer(request));
    }
    assertThat(answered).isBetween(2_000, 18_000);
  }

  @Test
  void whatIsNoRequestIsLeftToThePipeline() {
    for (Command command : new Command[] {Command.REGION_READ, Command.REGION_WRITE}) {
      ByteBuf message = Unpooled.directBuffer();
      Header.encodeReply(message, 1, command.code(), RegionRead.DATA + Integer.BYTES);
      message.writeLongLE(0x1c).writeIntLE(0).writeIntLE(Integer.BYTES).writeIntLE(5);
      assertThat(access.handle(message, message.readableBytes(), reply)).isFalse();
      message.release();
    }
    assertThat(reply.isReadable()).isFalse();
  }
}
