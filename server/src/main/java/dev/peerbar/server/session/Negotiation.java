package dev.peerbar.server.session;

import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.protocol.Capabilities;
import dev.peerbar.protocol.Descriptors;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.InvalidMessageException;
import dev.peerbar.protocol.Version;
import dev.peerbar.server.dma.DirtyLog;
import dev.peerbar.server.dma.DmaTable;
import io.netty.buffer.ByteBufAllocator;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * VERSION. The limits of the reply are what this server can receive, so they are said whether the
 * client proposed any or not; an optional feature is agreed to only if it was proposed.
 */
final class Negotiation {
  /**
   * The most data that a message to this server may carry, and that it may be asked for in one, in
   * bytes: of reads and writes (vfio-user, Message sizes), and of a device's state.
   */
  static final int MAX_DATA_TRANSFER = 1 << 20;

  /** Descriptors of one message. QEMU takes a larger number for a malformed one. */
  static final int MAX_DESCRIPTORS = 16;

  /**
   * Dirty page tracking as QEMU and the reference library propose it; the specification has dropped
   * it. A bitmap goes in one message.
   */
  private static final Capabilities.Migration MIGRATION =
      new Capabilities.Migration(DirtyLog.PAGE_SIZE, DirtyLog.MOST_BITMAP);

  private Negotiation() {}

  /** What comes of it for the connection. */
  interface Outcome {
    /**
     * The proposal is good; the reply follows.
     *
     * @return the client's end of a twin socket, if there is to be one; only if the client wants it
     * @throws InvalidMessageException if it cannot follow
     */
    Optional<FileDescriptor> agreed(ClientLimits client) throws InvalidMessageException;

    /** The connection is of no use, and to be closed after the reply. */
    void incompatible();
  }

  /**
   * Agrees with the client, or refuses it. A major version that is not served ends the connection,
   * as the specification wants (Connection Initiation), with a reply before that says why. Other
   * proposals that are refused can be made anew.
   *
   * @param maxDmaMaps mappings that the endpoint takes
   */
  static Frame negotiate(Frame request, int maxDmaMaps, Outcome outcome)
      throws InvalidMessageException {
    Version.Request proposal = Version.Request.decode(request.payload());
    if (proposal.major() != Version.MAJOR) {
      outcome.incompatible();
      throw new InvalidMessageException(
          "version %d.%d is proposed, %d.%d is served"
              .formatted(proposal.major(), proposal.minor(), Version.MAJOR, Version.MINOR));
    }
    Capabilities client = proposal.capabilities();
    if (client.maxDataXferSize() == 0) {
      throw new InvalidMessageException("max_data_xfer_size 0");
    }
    // Without a reply there is nothing for the socket to come with.
    boolean twin =
        client.twinSocket().map(Capabilities.TwinSocket::supported).orElse(false)
            && client.maxMsgFds() > 0
            && !request.header().noReply();
    int minor = Math.min(proposal.minor(), Version.MINOR);
    Optional<FileDescriptor> socket =
        outcome.agreed(
            new ClientLimits(
                proposal.major(),
                minor,
                client.maxMsgFds(),
                (int) Math.min(client.maxDataXferSize(), MAX_DATA_TRANSFER),
                twin));
    Capabilities ours =
        new Capabilities(
            MAX_DESCRIPTORS,
            MAX_DATA_TRANSFER,
            saidMappings(maxDmaMaps, client),
            DmaTable.PAGE_SIZE,
            socket.map(_ -> new Capabilities.TwinSocket(true, OptionalInt.of(0))),
            client.writeMultiple(),
            client.migration().map(_ -> MIGRATION));
    return Frame.reply(
        request.header(),
        new Version.Reply(Version.MAJOR, minor, ours),
        socket.map(Descriptors::of).orElse(Descriptors.none()),
        ByteBufAllocator.DEFAULT);
  }

  /**
   * The endpoint's number, but no more than the client has heard of: QEMU proposes the default,
   * lets a server only lower it, and gives up for "max_dma_maps too large". It maps as many as its
   * guest wants all the same, and so it may.
   */
  private static int saidMappings(int maxDmaMaps, Capabilities client) {
    return Math.min(maxDmaMaps, Math.max(client.maxDmaMaps(), Capabilities.DEFAULTS.maxDmaMaps()));
  }
}
