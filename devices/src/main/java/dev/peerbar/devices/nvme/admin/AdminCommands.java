package dev.peerbar.devices.nvme.admin;

import dev.peerbar.devices.nvme.entry.AdminOpcode;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.devices.nvme.io.IoCommands;
import dev.peerbar.devices.nvme.queue.AdminHandler;
import dev.peerbar.devices.nvme.queue.ArbitrationFeature;
import dev.peerbar.devices.nvme.queue.QueueSet;
import dev.peerbar.devices.nvme.queue.Reply;
import dev.peerbar.devices.nvme.queue.RingResult;
import dev.peerbar.storage.StorageException;
import java.util.Optional;
import java.util.function.Supplier;

/** The admin commands of one generation of the controller. For the function's thread. */
public final class AdminCommands implements AdminHandler {
  private final AdminSettings settings;
  private final Identify identify;
  private final ErrorLog errors;
  private final SmartLog smart;
  private final IoCommands io;
  private final Supplier<QueueSet> queues;

  private final AsyncEvents events = new AsyncEvents();
  private final Features features;
  private final LogPages logs;
  private final QueueCommands queueCommands;

  /** Critical warnings that the host has been told of, or has not asked to be. */
  private int warned;

  /**
   * @param queues of this generation; asked only while a command is executed
   */
  public AdminCommands(
      AdminSettings settings,
      Identity identity,
      Identify identify,
      ErrorLog errors,
      SmartLog smart,
      IoCommands io,
      Supplier<QueueSet> queues) {
    this.settings = settings;
    this.identify = identify;
    this.errors = errors;
    this.smart = smart;
    this.io = io;
    this.queues = queues;
    features = new Features(settings, smart, new FeatureEffects());
    logs = new LogPages(settings, errors, smart, features, events, identity);
    queueCommands = new QueueCommands(settings, events, queues);
    io.writeCache(true);
  }

  @Override
  public void execute(SubmissionEntry entry, Reply reply) {
    AdminCommand command = new AdminCommand(entry, reply, errors);
    Optional<AdminOpcode> opcode = AdminOpcode.of(entry.opcode()).filter(settings::has);
    if (opcode.isEmpty()) {
      command.end(Status.INVALID_COMMAND_OPCODE, Parameter.OPCODE);
      return;
    }
    // There are no fused admin commands, and over PCIe none with SGLs (4.3, figure 104).
    if (entry.fuse() != 0 || entry.psdt() != 0) {
      command.invalidField(Parameter.FLAGS);
      return;
    }
    switch (opcode.get()) {
      case DELETE_IO_SUBMISSION_QUEUE -> queueCommands.deleteSubmissionQueue(command);
      case CREATE_IO_SUBMISSION_QUEUE -> queueCommands.createSubmissionQueue(command);
      case GET_LOG_PAGE -> logs.get(command);
      case DELETE_IO_COMPLETION_QUEUE -> queueCommands.deleteCompletionQueue(command);
      case CREATE_IO_COMPLETION_QUEUE -> queueCommands.createCompletionQueue(command);
      case IDENTIFY -> identify.execute(command, settings.msixEnabled().getAsBoolean());
      case ABORT -> queueCommands.abort(command);
      case SET_FEATURES -> features.set(command);
      case GET_FEATURES -> features.get(command);
      case ASYNCHRONOUS_EVENT_REQUEST -> events.request(command);
      case DOORBELL_BUFFER_CONFIG -> queueCommands.doorbellBufferConfig(command);
    }
  }

  /** Whether the host wants no interrupt of a vector held back. For any thread. */
  public boolean uncoalesced(int vector) {
    return features.uncoalesced(vector);
  }

  /** A doorbell was rung that is none, or with a value that it cannot take (NVMe 1.4 5.2.1). */
  public void doorbellFailed(RingResult result) {
    AsyncEvent event =
        switch (result) {
          case OK -> throw new IllegalArgumentException("nothing failed");
          case NO_SUCH_QUEUE -> AsyncEvent.INVALID_DOORBELL_REGISTER;
          case INVALID_VALUE -> AsyncEvent.INVALID_DOORBELL_VALUE;
        };
    errors.add(Status.INVALID_FIELD_IN_COMMAND);
    events.report(event);
  }

  /** Storage failed a command. Having run full is nothing to warn of: it can be emptied. */
  public void storageFailed(StorageException.Kind kind) {
    if (kind != StorageException.Kind.FULL && smart.degrade()) {
      warningsChanged();
    }
  }

  private void warningsChanged() {
    int warnings = features.warnings();
    for (SmartLog.Warning warning : SmartLog.Warning.values()) {
      int mask = warning.mask();
      if ((warnings & mask) != 0 && (warned & mask) == 0 && (features.events() & mask) != 0) {
        events.report(warning.event());
      }
    }
    warned = warnings & features.events();
  }

  private final class FeatureEffects implements Features.Effects {
    @Override
    public void arbitration(ArbitrationFeature feature) {
      queues.get().arbitration(feature);
    }

    @Override
    public void writeCache(boolean enabled) {
      io.writeCache(enabled);
    }

    @Override
    public boolean queuesCreated() {
      return queueCommands.created();
    }

    @Override
    public void warningsChanged() {
      AdminCommands.this.warningsChanged();
    }
  }
}
