package dev.peerbar.cli;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonSetter;
import com.fasterxml.jackson.annotation.Nulls;
import com.fasterxml.jackson.databind.annotation.JsonDeserialize;
import com.fasterxml.jackson.databind.util.StdConverter;
import dev.peerbar.linux.UnixSocket;
import dev.peerbar.server.AllowedPeers;
import dev.peerbar.server.ListenAddress;
import dev.peerbar.server.Polling;
import dev.peerbar.server.ServerOptions;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.Optional;
import java.util.Set;
import picocli.CommandLine.Option;

/** How an endpoint of any type is served, as the command line or a file says it. */
final class ServeOptions {
  /** What {@link #check} can find at fault. */
  static final String POLL_IDLE = "poll-idle";

  @JsonProperty(value = "socket-path", required = true)
  private Path socketPath;

  @Option(
      names = "--socket-mode",
      paramLabel = "MODE",
      converter = FileMode.class,
      description =
          "Permissions of the socket file, octal; to connect takes write permission"
              + " (default: 0600, the owner only).")
  @JsonProperty("socket-mode")
  @JsonDeserialize(converter = ModeFromText.class)
  private int socketMode = UnixSocket.OWNER_ONLY;

  @Option(
      names = "--allow-uid",
      paramLabel = "UID",
      split = ",",
      converter = UserId.class,
      description =
          "Hang up on processes of other users than these, whatever the socket's permissions;"
              + " may be given more than once (default: any user).")
  @JsonProperty("allow-uid")
  @JsonDeserialize(contentConverter = UserFromText.class)
  private Set<Integer> allowedUsers = new LinkedHashSet<>();

  @Option(
      names = "--busy-poll",
      description =
          "Look for the client's next message for a while before sleeping, as long as that pays:"
              + " faster accesses, for a processor that is busy while there are any.")
  @JsonProperty("busy-poll")
  private boolean busyPoll;

  @Option(
      names = "--poll",
      arity = "0..1",
      fallbackValue = PollText.ANYWHERE,
      paramLabel = "CPU",
      converter = PollText.class,
      description =
          "Never sleep: the endpoint's thread looks at doorbells that are mapped or in the driver's"
              + " memory and at the socket, and does what it finds itself. Takes a whole processor:"
              + " number CPU, or any.")
  @JsonProperty("poll")
  @JsonSetter(nulls = Nulls.SKIP)
  @JsonDeserialize(converter = PollText.FromText.class)
  // Null for no polling.
  private Polling polling;

  @Option(
      names = "--poll-idle",
      paramLabel = "TIME",
      converter = IdleTime.class,
      description =
          "With --poll: sleep after so long without work (50us, 10ms, 1s) until there is some"
              + " (default: never sleep).")
  @JsonProperty(POLL_IDLE)
  @JsonSetter(nulls = Nulls.SKIP)
  @JsonDeserialize(converter = IdleTime.FromText.class)
  private Duration pollIdle;

  @Option(
      names = "--max-dma-maps",
      paramLabel = "N",
      converter = MappingCount.class,
      description =
          "The most DMA mappings that the client may have at a time, 1 to 16777216, at some 50 bytes"
              + " of memory each (default: 2097152, which is 8 GiB in pages of 4 KiB).")
  @JsonProperty("max-dma-maps")
  @JsonDeserialize(converter = MappingCount.FromText.class)
  private int maxDmaMaps = ServerOptions.DMA_MAPS;

  @Option(
      names = "--trust-memory",
      description =
          "For clients of your own: touch all of their memory that can be mapped, whatever they"
              + " could do to it. Faster where memory is not sealed; but a client that takes memory"
              + " away (truncates a file, for one) ends this process, with status 3.")
  @JsonProperty("trust-memory")
  private boolean trustMemory;

  @Option(
      names = "--inject",
      description =
          "Let 'peerbar inject' have the endpoint misbehave, by a second socket beside the first"
              + " (PATH.inject) to which only the owner may connect.")
  @JsonProperty("inject")
  private boolean inject;

  /** Modes in a file are written as on the command line. */
  static final class ModeFromText extends StdConverter<String, Integer> {
    @Override
    public Integer convert(String text) {
      return FileMode.parse(text);
    }
  }

  /** Users in a file are written as on the command line. */
  static final class UserFromText extends StdConverter<String, Integer> {
    @Override
    public Integer convert(String text) {
      return UserId.parse(text);
    }
  }

  /** Where a file says to listen; null on the command line, which may say otherwise. */
  Path socketPath() {
    return socketPath;
  }

  /** A socket at a path, with the permissions asked for. */
  ListenAddress at(Path path) {
    return new ListenAddress.AtPath(path, socketMode);
  }

  /**
   * Looks whether the options go together.
   *
   * @throws IllegalArgumentException with a sentence if they do not
   */
  void check() {
    if (pollIdle != null && polling == null) {
      throw new IllegalArgumentException(
          "poll-idle says when polling ends, and there is none: add poll, or leave poll-idle out");
    }
  }

  /** Whether and how to poll. */
  Optional<Polling> polling() {
    return Optional.ofNullable(polling)
        .map(always -> pollIdle == null ? always : always.until(pollIdle));
  }

  ServerOptions options() {
    ServerOptions options =
        ServerOptions.DEFAULT
            .withAllowed(new AllowedPeers(allowedUsers))
            .withBusyPoll(busyPoll ? ServerOptions.BUSY_POLL : Duration.ZERO)
            .withMaxDmaMaps(maxDmaMaps)
            .withTrustMemory(trustMemory)
            .withInject(inject);
    return polling().map(options::withPolling).orElse(options);
  }
}
