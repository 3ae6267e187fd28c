package dev.peerbar.lab.guest;

import dev.peerbar.lab.guest.AgentConnection.Exchange;
import dev.peerbar.lab.guest.AgentConnection.Response;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Makes the calls of a {@link GuestAgent}: sends each, waits, tells what a status means, and keeps
 * the history. May be used from any thread.
 */
final class GuestCalls implements AutoCloseable {
  /** How long a call may take that does not itself wait; generous, for TCG on a busy machine. */
  static final Duration LIMIT = Duration.ofSeconds(60);

  private static final int STATUS_OK = 0;
  private static final int STATUS_BAD_REQUEST = 1;
  private static final int STATUS_FAULT = 2;
  private static final int STATUS_TIMEOUT = 3;
  private static final int STATUS_BUSY = 4;

  private final AgentConnection connection;
  private final CallHistory history = new CallHistory();

  /** Exchanges that nobody waits for any more and whose response has not come. */
  private final Set<CompletableFuture<Void>> givenUp = ConcurrentHashMap.newKeySet();

  GuestCalls(AgentConnection connection) {
    this.connection = connection;
  }

  static ByteBuffer buffer(int size) {
    return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
  }

  CallHistory history() {
    return history;
  }

  /** Reads a response's payload. */
  @FunctionalInterface
  interface Decoder<T> {
    T decode(ByteBuffer payload) throws IOException;
  }

  /** A call in the making. */
  final class Call {
    private final GuestCall call;
    private final ByteBuffer payload;
    private Duration limit = LIMIT;
    private Runnable over = () -> {};

    private Call(GuestCall call, ByteBuffer payload) {
      this.call = call;
      this.payload = payload;
    }

    /** How long the answer may take. */
    Call within(Duration most) {
      limit = most;
      return this;
    }

    /** What happens when the guest is done with it: as soon as it is, but not before. */
    Call whenOver(Runnable action) {
      over = action;
      return this;
    }

    void make() throws IOException {
      make(_ -> CallHistory.DONE);
    }

    <T> T make(Decoder<T> decoder) throws IOException {
      return make(decoder, null);
    }

    /**
     * @param late what it gives if the agent waited, for as long as it had been told to, in vain
     */
    <T> T make(Decoder<T> decoder, T late) throws IOException {
      CallHistory.Entry entry = history.begin(call);
      try {
        if (Thread.currentThread().isInterrupted()) {
          over.run();
          throw new InterruptedIOException("interrupted before " + call);
        }
        Response response = exchange(entry);
        T value =
            response.status() == STATUS_TIMEOUT && late != null
                ? late
                : decoder.decode(payloadOf(response));
        entry.ended(brief(value));
        return value;
      } catch (IOException | RuntimeException e) {
        entry.ended(e);
        throw e;
      }
    }

    private Response exchange(CallHistory.Entry entry) throws IOException {
      Race.Entrant entrant = Race.entrant(call);
      if (entrant == null) {
        return exchange(entry, call.operation(), payload, limit);
      }
      ByteBuffer request = entrant.wrap(call.operation(), payload);
      Response response = exchange(entry, Operation.RACE, request, limit.plus(entrant.patience()));
      if (response.status() == STATUS_BUSY) {
        entrant.didNotCome();
      }
      return response.status() == STATUS_OK ? entrant.unwrap(response.payload()) : response;
    }

    private Response exchange(
        CallHistory.Entry entry, Operation operation, ByteBuffer request, Duration most)
        throws IOException {
      Exchange exchange;
      try {
        exchange = connection.send(operation.ordinal(), request, entry::sent);
      } catch (IOException | RuntimeException e) {
        over.run();
        throw e;
      }
      exchange.whenOver(() -> {
        over.run();
        entry.over();
      });
      try {
        return exchange.await(call, most);
      } catch (GuestCallTimeoutException | InterruptedIOException e) {
        giveUp(exchange);
        throw e;
      }
    }

    private ByteBuffer payloadOf(Response response) throws IOException {
      ByteBuffer answer = response.payload();
      return switch (response.status()) {
        case STATUS_OK -> answer;
        case STATUS_FAULT -> {
          GuestFaultException.Signal signal = GuestFaultException.Signal.of(answer.getInt());
          answer.getInt();
          throw new GuestFaultException(signal, answer.getLong());
        }
        case STATUS_BAD_REQUEST -> throw new IllegalArgumentException("the agent refused " + call);
        case STATUS_BUSY -> throw new GuestBusyException(call, "the agent has too much under way");
        default -> throw new IOException("status " + response.status() + " from the guest agent");
      };
    }
  }

  // History keeps no data.
  private static Object brief(Object value) {
    return value instanceof byte[] || value instanceof ByteBuffer ? CallHistory.DONE : value;
  }

  Call call(GuestCall call, ByteBuffer payload) {
    return new Call(call, payload.flip());
  }

  private void giveUp(Exchange exchange) {
    CompletableFuture<Void> answered = new CompletableFuture<>();
    givenUp.add(answered);
    exchange.whenOver(() -> {
      givenUp.remove(answered);
      answered.complete(null);
    });
  }

  /** Does something as soon as every call that has been given up by now is over in the guest. */
  void afterThoseGivenUp(Runnable action) {
    CompletableFuture.allOf(givenUp.toArray(CompletableFuture[]::new))
        .whenComplete((_, _) -> action.run());
  }

  @Override
  public void close() {
    connection.close();
  }
}
