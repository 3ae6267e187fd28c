package dev.peerbar.server.session;

import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.DeviceFeature.Feature;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.InvalidMessageException;
import dev.peerbar.protocol.MigDataRead;
import dev.peerbar.protocol.MigDataWrite;
import dev.peerbar.protocol.MigrationFeature;
import dev.peerbar.protocol.MigrationState;
import dev.peerbar.server.function.Migration;
import dev.peerbar.server.function.Migration.RefusedException;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.util.Map;

/**
 * The features MIGRATION and MIG_DEVICE_STATE, and the messages that carry the state: MIG_DATA_READ
 * and MIG_DATA_WRITE. Only for functions that can be migrated.
 */
record MigrationRequests(Migration migration, ClientLimits client) {

  /** There is no data file in vfio-user; Linux says so with this number where it has none. */
  private static final int NO_DATA_FILE = -1;

  void register(Map<Command, RequestHandler> handlers, FeatureRequests features) {
    features.put(Feature.MIGRATION, FeatureHandler.getting(MigrationRequests::flags));
    features.put(Feature.MIG_DEVICE_STATE, FeatureHandler.of(this::getState, this::setState));
    handlers.put(Command.MIG_DATA_READ, this::read);
    handlers.put(Command.MIG_DATA_WRITE, this::write);
  }

  private static ByteBuf flags(ByteBuf data, long room) throws InvalidMessageException {
    MigrationFeature feature =
        new MigrationFeature(MigrationFeature.STOP_COPY | MigrationFeature.PRE_COPY);
    FeatureHandler.Method.require(room, feature.encodedSize());
    return FeatureHandler.Method.bytes(feature);
  }

  private ByteBuf getState(ByteBuf data, long room) throws InvalidMessageException {
    MigrationState state = new MigrationState(onWire(migration.state()), NO_DATA_FILE);
    FeatureHandler.Method.require(room, state.encodedSize());
    return FeatureHandler.Method.bytes(state);
  }

  private ByteBuf setState(ByteBuf data, long room) throws InvalidMessageException {
    MigrationState wanted = MigrationState.decode(data);
    FeatureHandler.Method.require(room, wanted.encodedSize());
    try {
      migration.go(fromWire(wanted.state()));
    } catch (RefusedException e) {
      throw new InvalidMessageException(e.errno(), e.getMessage());
    }
    return FeatureHandler.Method.bytes(wanted);
  }

  private static MigrationState.State onWire(Migration.State state) {
    return switch (state) {
      case ERROR -> MigrationState.State.ERROR;
      case STOP -> MigrationState.State.STOP;
      case RUNNING -> MigrationState.State.RUNNING;
      case STOP_COPY -> MigrationState.State.STOP_COPY;
      case RESUMING -> MigrationState.State.RESUMING;
      case PRE_COPY -> MigrationState.State.PRE_COPY;
    };
  }

  private static Migration.State fromWire(MigrationState.State state)
      throws InvalidMessageException {
    return switch (state) {
      case ERROR -> Migration.State.ERROR;
      case STOP -> Migration.State.STOP;
      case RUNNING -> Migration.State.RUNNING;
      case STOP_COPY -> Migration.State.STOP_COPY;
      case RESUMING -> Migration.State.RESUMING;
      case PRE_COPY -> Migration.State.PRE_COPY;
      case RUNNING_P2P, PRE_COPY_P2P ->
          throw new InvalidMessageException("state %s is not used".formatted(state));
    };
  }

  private Frame read(Frame request) throws InvalidMessageException {
    MigDataRead.Request read = MigDataRead.Request.decode(request.payload());
    checkSize(Integer.toUnsignedLong(read.size()), client.maxDataTransfer());
    checkArgsz(read.argsz(), Integer.toUnsignedLong(read.size()));
    try {
      return Frame.reply(
          request.header(),
          MigDataRead.DATA + read.size(),
          ByteBufAllocator.DEFAULT,
          payload -> {
            int length = migration.read(payload.nioBuffer(MigDataRead.DATA, read.size()));
            MigDataRead.Reply.encodeFixed(payload, length);
            payload.writerIndex(MigDataRead.DATA + length);
          });
    } catch (RefusedException e) {
      throw new InvalidMessageException(e.errno(), e.getMessage());
    }
  }

  private Frame write(Frame request) throws InvalidMessageException {
    MigDataWrite.Request write = MigDataWrite.Request.decode(request.payload());
    int size = write.data().readableBytes();
    checkSize(size, Negotiation.MAX_DATA_TRANSFER);
    checkArgsz(write.argsz(), size);
    try {
      migration.write(write.data().nioBuffer());
    } catch (RefusedException e) {
      throw new InvalidMessageException(e.errno(), e.getMessage());
    }
    return Frame.reply(request.header());
  }

  private static void checkSize(long size, int most) throws InvalidMessageException {
    if (size > most) {
      throw new InvalidMessageException(
          "%d bytes in one message, at most %d".formatted(size, most));
    }
  }

  private static void checkArgsz(int argsz, long size) throws InvalidMessageException {
    if (Integer.toUnsignedLong(argsz) < MigDataRead.DATA + size) {
      throw new InvalidMessageException(
          "argsz %s for %d bytes".formatted(Integer.toUnsignedString(argsz), size));
    }
  }
}
