package dev.peerbar.devices.nvme.admin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.mockito.Mockito.mock;

import dev.peerbar.devices.nvme.NvmeConfig;
import dev.peerbar.devices.nvme.entry.AdminOpcode;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.devices.nvme.io.IoCommands;
import dev.peerbar.devices.nvme.io.IoCounters;
import dev.peerbar.devices.nvme.queue.QueueSet;
import dev.peerbar.devices.nvme.queue.Reply;
import dev.peerbar.storage.MemoryStorage;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.function.Consumer;

/** Admin commands without the queues around them. */
final class AdminFixture {
  static final long STORAGE_BYTES = 8 << 20;
  static final int PAGE_SIZE = 8192;

  final NvmeConfig config;
  final QueueSet queues = mock(QueueSet.class);
  final IoCommands io = mock(IoCommands.class);
  final ErrorLog errors = new ErrorLog();
  final SmartLog smart;
  final AdminCommands admin;

  boolean msix = true;
  boolean entrySizesSet = true;
  long nanos = 1_000_000_000_000L;

  AdminFixture() {
    this(NvmeConfig.DEFAULT);
  }

  AdminFixture(NvmeConfig config) {
    this.config = config;
    smart = new SmartLog(new IoCounters(), errors, () -> nanos);
    admin = generation();
  }

  /** Another generation of the same controller. */
  AdminCommands generation() {
    Identity identity = new Identity(config.serialNumber());
    return new AdminCommands(
        new AdminSettings(
            PAGE_SIZE,
            config.queues(),
            config.queues() + 1,
            config.shadowDoorbells(),
            () -> msix,
            () -> entrySizesSet,
            () -> nanos),
        identity,
        new Identify(config, MemoryStorage.allocate(STORAGE_BYTES), identity),
        errors,
        smart,
        io,
        () -> queues);
  }

  /** How a command ended, if it has. */
  static final class Answer implements Reply {
    private final byte[] fromHost;
    private Status status;
    private int dword0;
    private byte[] data;

    private Answer(byte[] fromHost) {
      this.fromHost = fromHost;
    }

    @Override
    public void complete(Status newStatus, int newDword0) {
      assertThat(status).as("completed before").isNull();
      status = newStatus;
      dword0 = newDword0;
    }

    @Override
    public void send(byte[] newData, int newDword0) {
      data = newData;
      complete(Status.SUCCESS, newDword0);
    }

    @Override
    public void receive(int length, Consumer<byte[]> then) {
      assertThat(fromHost).hasSize(length);
      then.accept(fromHost);
    }

    boolean waits() {
      return status == null;
    }

    Status status() {
      return status;
    }

    int dword0() {
      assertThat(status).isEqualTo(Status.SUCCESS);
      return dword0;
    }

    byte[] bytes() {
      assertThat(status).isEqualTo(Status.SUCCESS);
      assertThat(data).as("data").isNotNull();
      return data;
    }

    ByteBuffer data() {
      return ByteBuffer.wrap(bytes()).order(ByteOrder.LITTLE_ENDIAN);
    }
  }

  Answer run(SubmissionEntry.Builder command) {
    return run(command, null);
  }

  Answer run(SubmissionEntry.Builder command, byte[] fromHost) {
    Answer answer = new Answer(fromHost);
    admin.execute(command.build(), answer);
    return answer;
  }

  static SubmissionEntry.Builder identify(int cns, int nsid) {
    return SubmissionEntry.builder(AdminOpcode.IDENTIFY).namespaceId(nsid).dword(10, cns);
  }

  static SubmissionEntry.Builder getFeatures(int feature, int select, int dword11) {
    return SubmissionEntry.builder(AdminOpcode.GET_FEATURES)
        .dword(10, feature | select << 8)
        .dword(11, dword11);
  }

  static SubmissionEntry.Builder setFeatures(int feature, int dword11) {
    return SubmissionEntry.builder(AdminOpcode.SET_FEATURES).dword(10, feature).dword(11, dword11);
  }

  /** Get Log Page of a number of bytes, with Retain Asynchronous Event or without. */
  static SubmissionEntry.Builder log(int page, int bytes, boolean retain) {
    int dwords = bytes / 4 - 1;
    return SubmissionEntry.builder(AdminOpcode.GET_LOG_PAGE)
        .namespaceId(-1)
        .dword(10, page | (retain ? 1 << 15 : 0) | dwords << 16)
        .dword(11, dwords >>> 16);
  }

  int feature(int feature) {
    return run(getFeatures(feature, 0, 0)).dword0();
  }

  /** The newest entry of the error log. */
  ByteBuffer newestError() {
    return run(log(1, 64, true)).data();
  }

  /** Where the newest error is, by dword and bit. */
  String errorLocation() {
    int location = Short.toUnsignedInt(newestError().getShort(14));
    if (location == 0xffff) {
      return "none";
    }
    int bit = (location & 0xff) % 4 * 8 + (location >>> 8);
    return "dword %d bit %d".formatted((location & 0xff) / 4, bit);
  }
}
