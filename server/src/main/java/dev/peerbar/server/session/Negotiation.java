package dev.peerbar.server.session;

import dev.peerbar.protocol.Capabilities;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.InvalidMessageException;
import dev.peerbar.protocol.Version;
import dev.peerbar.server.dma.DmaTable;
import io.netty.buffer.ByteBufAllocator;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * VERSION. The limits of the reply are what this server can receive, so they are said whether the
 * client proposed any or not; an optional feature is agreed to only if it was proposed.
 */
final class Negotiation {
  /** The most data that a message to this server may carry, in bytes. */
  static final int MAX_DATA_TRANSFER = 1 << 20;

  /** Descriptors of one message. QEMU takes a larger number for a malformed one. */
  private static final int MAX_DESCRIPTORS = 16;

  private Negotiation() {}

  /**
   * Agrees with the client, or refuses it.
   *
   * @param agreed is told the client's limits before the reply is made
   */
  static Frame negotiate(Frame request, Consumer<ClientLimits> agreed)
      throws InvalidMessageException {
    Version.Request proposal = Version.Request.decode(request.payload());
    if (proposal.major() != Version.MAJOR) {
      throw new InvalidMessageException(
          "version %d.%d is proposed, %d.%d is served"
              .formatted(proposal.major(), proposal.minor(), Version.MAJOR, Version.MINOR));
    }
    Capabilities client = proposal.capabilities();
    if (client.maxDataXferSize() == 0) {
      throw new InvalidMessageException("max_data_xfer_size 0");
    }
    int minor = Math.min(proposal.minor(), Version.MINOR);
    agreed.accept(
        new ClientLimits(
            proposal.major(),
            minor,
            client.maxMsgFds(),
            (int) Math.min(client.maxDataXferSize(), MAX_DATA_TRANSFER)));
    Capabilities ours =
        new Capabilities(
            MAX_DESCRIPTORS,
            MAX_DATA_TRANSFER,
            DmaTable.MAX_MAPPINGS,
            DmaTable.PAGE_SIZE,
            Optional.empty(),
            client.writeMultiple(),
            Optional.empty());
    return Frame.reply(
        request.header(), new Version.Reply(Version.MAJOR, minor, ours), ByteBufAllocator.DEFAULT);
  }
}
