package dev.peerbar.protocol;

import dev.peerbar.linux.Errno;
import io.netty.buffer.ByteBuf;
import java.util.Optional;

/**
 * What every message begins with (vfio-user, Header).
 *
 * @param id chosen by the sender of the request and returned in the reply, 16 bits unsigned
 * @param command the number of the command, 16 bits unsigned, known or not
 * @param size of the whole message with this header, in bytes, 32 bits unsigned as received
 * @param type request or reply
 * @param noReply in a request: do not reply, whatever happens
 * @param error in a reply: the request failed
 * @param errno in a reply with {@code error}: why; may be zero even so
 */
public record Header(
    int id, int command, int size, Type type, boolean noReply, boolean error, int errno) {

  /** The length of a header, in bytes. */
  public static final int SIZE = 16;

  static final int ID = 0;
  static final int COMMAND = 2;
  static final int MESSAGE_SIZE = 4;
  static final int FLAGS = 8;
  static final int ERRNO = 12;

  private static final int TYPE_MASK = 0xF;
  private static final int NO_REPLY = 1 << 4;
  private static final int ERROR = 1 << 5;

  /** What a message is. */
  public enum Type {
    COMMAND(0),
    REPLY(1),
    /** A number that the specification does not have. */
    UNKNOWN(TYPE_MASK);

    private final int code;

    Type(int code) {
      this.code = code;
    }

    private static Type of(int flags) {
      return switch (flags & TYPE_MASK) {
        case 0 -> COMMAND;
        case 1 -> REPLY;
        default -> UNKNOWN;
      };
    }
  }

  /** The header of a request with a payload of some bytes. */
  public static Header request(int id, Command command, int payloadSize, boolean noReply) {
    return new Header(id, command.code(), SIZE + payloadSize, Type.COMMAND, noReply, false, 0);
  }

  /** The header of a reply to this request, with a payload of some bytes. */
  public Header reply(int payloadSize) {
    return new Header(id, command, SIZE + payloadSize, Type.REPLY, false, false, 0);
  }

  /** The header, and the whole, of a reply that says why this request failed. */
  public Header failure(Errno reason) {
    return new Header(id, command, SIZE, Type.REPLY, false, true, reason.code());
  }

  /** The command, or empty if the specification does not have the number. */
  public Optional<Command> knownCommand() {
    return Command.of(command);
  }

  /** Whether this is a reply. */
  public boolean isReply() {
    return type == Type.REPLY;
  }

  /** Appends the header. */
  public void encode(ByteBuf out) {
    encode(out, id, command, size, flags(), errno);
  }

  /**
   * Appends what {@link #reply} makes, without making it.
   *
   * @param id of the request
   * @param command of the request
   */
  public static void encodeReply(ByteBuf out, int id, int command, int payloadSize) {
    encode(out, id, command, SIZE + payloadSize, Type.REPLY.code, 0);
  }

  private static void encode(ByteBuf out, int id, int command, int size, int flags, int errno) {
    out.writeShortLE(id);
    out.writeShortLE(command);
    out.writeIntLE(size);
    out.writeIntLE(flags);
    out.writeIntLE(errno);
  }

  private int flags() {
    return type.code | (noReply ? NO_REPLY : 0) | (error ? ERROR : 0);
  }

  // Fields of a header at the reader index, for who needs no more of it. All throw
  // IndexOutOfBoundsException for less than 16 bytes.

  /** The id, as {@link #id()}. */
  public static int id(ByteBuf in) {
    return in.getUnsignedShortLE(in.readerIndex() + ID);
  }

  /** The number of the command, as {@link #command()}. */
  public static int command(ByteBuf in) {
    return in.getUnsignedShortLE(in.readerIndex() + COMMAND);
  }

  /** Whether it is a request. */
  public static boolean isRequest(ByteBuf in) {
    return (in.getIntLE(in.readerIndex() + FLAGS) & TYPE_MASK) == Type.COMMAND.code;
  }

  /** Whether no reply is wanted, as {@link #noReply()}. */
  public static boolean noReply(ByteBuf in) {
    return (in.getIntLE(in.readerIndex() + FLAGS) & NO_REPLY) != 0;
  }

  /** The size that it tells, in bytes, not judged. */
  public static long size(ByteBuf in) {
    return in.getUnsignedIntLE(in.readerIndex() + MESSAGE_SIZE);
  }

  /**
   * Reads a header at the reader index, which does not move. Takes any 16 bytes: the size is not
   * judged here, and reserved flags are left out.
   *
   * @throws IndexOutOfBoundsException for less than 16 bytes
   */
  public static Header decode(ByteBuf in) {
    int start = in.readerIndex();
    int flags = in.getIntLE(start + FLAGS);
    return new Header(
        in.getUnsignedShortLE(start + ID),
        in.getUnsignedShortLE(start + COMMAND),
        in.getIntLE(start + MESSAGE_SIZE),
        Type.of(flags),
        (flags & NO_REPLY) != 0,
        (flags & ERROR) != 0,
        in.getIntLE(start + ERRNO));
  }
}
