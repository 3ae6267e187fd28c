package dev.peerbar.devices.nvme.admin;

import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.queue.ArbitrationFeature;
import java.util.BitSet;
import java.util.Optional;

/**
 * Get and Set Features (NVMe 1.4 5.13, 5.21), of one generation: nothing can be saved, so every
 * generation begins with the default values.
 */
final class Features {
  // Fields of the commands.
  private static final int DWORD10 = 10;
  private static final int DWORD11 = 11;
  private static final int ID_MASK = 0xff;
  private static final int SELECT_SHIFT = 8;
  private static final int SELECT_MASK = 0x7;
  private static final int SAVE_BIT = 31;
  private static final int WORD = 0xffff;

  private static final int SELECT_CURRENT = 0;
  private static final int SELECT_DEFAULT = 1;
  private static final int SELECT_SAVED = 2;
  private static final int SELECT_CAPABILITIES = 3;

  private static final int EVERY_NAMESPACE = 0xffff_ffff;

  private static final int POWER_STATE_MASK = 0x1f;
  private static final int WORKLOAD_MASK = 0xe0;
  private static final int TIME_LIMIT_MASK = 0xffff;
  private static final int DEALLOCATED_ERROR_BIT = 16;
  private static final int COMPLETION_QUEUES_SHIFT = 16;
  private static final int TOO_MANY_QUEUES = 0xffff;
  private static final int NO_COALESCING = 1 << 16;

  /** Critical warnings, and the notices that Identify Controller offers. */
  private static final int EVENTS_MASK = 0x1f | IdentifyController.OAES_NAMESPACE_ATTRIBUTES;

  /** What features do beyond remembering a value. */
  interface Effects {
    void arbitration(ArbitrationFeature feature);

    void writeCache(boolean enabled);

    /** Whether a queue was created in this generation, so that their number is settled. */
    boolean queuesCreated();

    /** {@link #warnings} or {@link #events} may have changed. */
    void warningsChanged();
  }

  private final Effects effects;
  private final SmartLog smart;
  private final int queues;
  private final int vectors;
  private final TemperatureThresholds thresholds = new TemperatureThresholds();
  private final Timestamp timestamp;

  private ArbitrationFeature arbitration = ArbitrationFeature.DEFAULT;
  private int power;
  private int errorRecovery;
  private boolean writeCache = true;
  private int coalescing;

  /** Vectors; never changed, but another one. The admin queue's is never coalesced. */
  private volatile BitSet uncoalesced = BitSet.valueOf(new long[] {1});

  private boolean writeAtomicityDisabled;
  private int events;

  Features(AdminSettings settings, SmartLog smart, Effects effects) {
    this.effects = effects;
    this.smart = smart;
    queues = settings.queues();
    vectors = settings.vectors();
    timestamp = new Timestamp(settings.nanoTime());
  }

  /** Critical Warning as it is now (NVMe 1.4 figure 196). */
  int warnings() {
    return (thresholds.crossed(SmartLog.TEMPERATURE) ? SmartLog.Warning.TEMPERATURE.mask() : 0)
        | (smart.degraded() ? SmartLog.Warning.RELIABILITY.mask() : 0);
  }

  /** Which events the host wants: Asynchronous Event Configuration. */
  int events() {
    return events;
  }

  /** Whether no interrupt of a vector is to be held back. For any thread. */
  boolean uncoalesced(int vector) {
    return uncoalesced.get(vector);
  }

  void get(AdminCommand command) {
    Optional<Feature> found = Feature.of(command.field(DWORD10, 0, ID_MASK));
    int select = command.field(DWORD10, SELECT_SHIFT, SELECT_MASK);
    if (found.isEmpty()) {
      command.invalidField(Parameter.of(DWORD10, 0));
      return;
    }
    if (select > SELECT_CAPABILITIES) {
      command.invalidField(Parameter.of(DWORD10, SELECT_SHIFT));
      return;
    }
    Feature feature = found.get();
    if (select == SELECT_CAPABILITIES) {
      command.succeed(feature.capabilities());
      return;
    }
    if (feature.namespaceSpecific() && command.entry().namespaceId() != Identify.NAMESPACE) {
      command.end(Status.INVALID_NAMESPACE_OR_FORMAT, Parameter.NAMESPACE_ID);
      return;
    }
    // What cannot be saved is saved as it is by default.
    get(command, feature, select == SELECT_CURRENT);
  }

  private void get(AdminCommand command, Feature feature, boolean current) {
    int dword = command.entry().dword(DWORD11);
    switch (feature) {
      case ARBITRATION ->
          command.succeed((current ? arbitration : ArbitrationFeature.DEFAULT).dword());
      case POWER_MANAGEMENT -> command.succeed(current ? power : 0);
      case TEMPERATURE_THRESHOLD -> thresholds.get(command, dword, current);
      case ERROR_RECOVERY -> command.succeed(current ? errorRecovery : 0);
      case VOLATILE_WRITE_CACHE -> command.succeed(!current || writeCache ? 1 : 0);
      case NUMBER_OF_QUEUES -> command.succeed(allQueues());
      case INTERRUPT_COALESCING -> command.succeed(current ? coalescing : 0);
      case INTERRUPT_VECTOR_CONFIGURATION -> {
        int vector = dword & WORD;
        if (vector >= vectors) {
          command.invalidField(Parameter.of(DWORD11, 0));
        } else {
          boolean off = current ? uncoalesced(vector) : vector == 0;
          command.succeed(vector | (off ? NO_COALESCING : 0));
        }
      }
      case WRITE_ATOMICITY_NORMAL -> command.succeed(current && writeAtomicityDisabled ? 1 : 0);
      case ASYNCHRONOUS_EVENT_CONFIGURATION -> command.succeed(current ? events : 0);
      case TIMESTAMP -> command.send(current ? timestamp.data() : Timestamp.initial());
    }
  }

  /** All there are are allocated, however few the host asks for; 0's based. */
  private int allQueues() {
    return queues - 1 << COMPLETION_QUEUES_SHIFT | queues - 1;
  }

  void set(AdminCommand command) {
    Optional<Feature> found = Feature.of(command.field(DWORD10, 0, ID_MASK));
    if (found.isEmpty()) {
      command.invalidField(Parameter.of(DWORD10, 0));
      return;
    }
    if (command.field(DWORD10, SAVE_BIT, 1) != 0) {
      command.end(Status.FEATURE_IDENTIFIER_NOT_SAVEABLE, Parameter.of(DWORD10, SAVE_BIT));
      return;
    }
    Status status = judgeNamespace(found.get(), command.entry().namespaceId());
    if (status != Status.SUCCESS) {
      command.end(status, Parameter.NAMESPACE_ID);
      return;
    }
    set(command, found.get(), command.entry().dword(DWORD11));
  }

  private static Status judgeNamespace(Feature feature, int nsid) {
    if (feature.namespaceSpecific()
        ? nsid == Identify.NAMESPACE || nsid == EVERY_NAMESPACE
        : nsid == 0 || nsid == EVERY_NAMESPACE) {
      return Status.SUCCESS;
    }
    return nsid == Identify.NAMESPACE
        ? Status.FEATURE_NOT_NAMESPACE_SPECIFIC
        : Status.INVALID_NAMESPACE_OR_FORMAT;
  }

  private void set(AdminCommand command, Feature feature, int dword) {
    switch (feature) {
      case ARBITRATION -> {
        arbitration = ArbitrationFeature.of(dword);
        effects.arbitration(arbitration);
        command.succeed();
      }
      case POWER_MANAGEMENT -> {
        // There is one power state, number 0.
        if ((dword & POWER_STATE_MASK) != 0) {
          command.invalidField(Parameter.of(DWORD11, 0));
        } else {
          power = dword & WORKLOAD_MASK;
          command.succeed();
        }
      }
      case TEMPERATURE_THRESHOLD -> {
        if (thresholds.set(command, dword)) {
          effects.warningsChanged();
        }
      }
      case ERROR_RECOVERY -> {
        // No namespace offers errors for deallocated blocks: NSFEAT bit 2.
        if ((dword >>> DEALLOCATED_ERROR_BIT & 1) != 0) {
          command.invalidField(Parameter.of(DWORD11, DEALLOCATED_ERROR_BIT));
        } else {
          errorRecovery = dword & TIME_LIMIT_MASK;
          command.succeed();
        }
      }
      case VOLATILE_WRITE_CACHE -> {
        writeCache = (dword & 1) != 0;
        effects.writeCache(writeCache);
        command.succeed();
      }
      case NUMBER_OF_QUEUES -> setQueues(command, dword);
      case INTERRUPT_COALESCING -> {
        coalescing = dword & WORD;
        command.succeed();
      }
      case INTERRUPT_VECTOR_CONFIGURATION -> {
        int vector = dword & WORD;
        if (vector >= vectors) {
          command.invalidField(Parameter.of(DWORD11, 0));
        } else {
          BitSet changed = (BitSet) uncoalesced.clone();
          changed.set(vector, (dword & NO_COALESCING) != 0);
          uncoalesced = changed;
          command.succeed();
        }
      }
      case WRITE_ATOMICITY_NORMAL -> {
        writeAtomicityDisabled = (dword & 1) != 0;
        command.succeed();
      }
      case ASYNCHRONOUS_EVENT_CONFIGURATION -> {
        events = dword & EVENTS_MASK;
        command.succeed();
        effects.warningsChanged();
      }
      case TIMESTAMP ->
          command.receive(
              Timestamp.BYTES,
              data -> {
                timestamp.set(data);
                command.succeed();
              });
    }
  }

  private void setQueues(AdminCommand command, int dword) {
    if (effects.queuesCreated()) {
      command.end(Status.COMMAND_SEQUENCE_ERROR);
    } else if ((dword & WORD) == TOO_MANY_QUEUES) {
      command.invalidField(Parameter.of(DWORD11, 0));
    } else if (dword >>> COMPLETION_QUEUES_SHIFT == TOO_MANY_QUEUES) {
      command.invalidField(Parameter.of(DWORD11, COMPLETION_QUEUES_SHIFT));
    } else {
      command.succeed(allQueues());
    }
  }
}
