package dev.peerbar.protocol;

import dev.peerbar.linux.FileDescriptor;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The file descriptors that travel with a message, in order, and their owner: what nobody took by
 * the time of {@link #close} is closed.
 *
 * <p>For one thread at a time.
 */
public final class Descriptors implements AutoCloseable {
  private static final Descriptors NONE = new Descriptors(List.of(), false);

  /** With null in the place of one that was taken. */
  private final List<FileDescriptor> descriptors;

  private final boolean truncated;

  private Descriptors(List<FileDescriptor> descriptors, boolean truncated) {
    this.descriptors = descriptors;
    this.truncated = truncated;
  }

  /** No descriptors. */
  public static Descriptors none() {
    return NONE;
  }

  /** Takes over descriptors. Give a {@link FileDescriptor#duplicate} to keep the original. */
  public static Descriptors of(FileDescriptor... descriptors) {
    return of(List.of(descriptors), false);
  }

  /**
   * Takes over descriptors.
   *
   * @param truncated whether more were sent than could be received
   */
  public static Descriptors of(List<FileDescriptor> descriptors, boolean truncated) {
    if (descriptors.isEmpty() && !truncated) {
      return NONE;
    }
    return new Descriptors(new ArrayList<>(descriptors), truncated);
  }

  /** How many the message has, taken or not. */
  public int count() {
    return descriptors.size();
  }

  /**
   * Whether more were sent than could be received, so that it is not known which is which: the
   * message is to be refused.
   */
  public boolean truncated() {
    return truncated;
  }

  /**
   * One to look at. It stays owned by this.
   *
   * @param index from 0 to {@link #count} - 1
   * @return empty if there is none at the index, or it was taken
   */
  public Optional<FileDescriptor> get(int index) {
    return index < 0 || index >= descriptors.size()
        ? Optional.empty()
        : Optional.ofNullable(descriptors.get(index));
  }

  /**
   * One to keep: it is the caller's to close.
   *
   * @param index from 0 to {@link #count} - 1
   * @return empty if there is none at the index, or it was taken before
   */
  public Optional<FileDescriptor> take(int index) {
    Optional<FileDescriptor> taken = get(index);
    if (taken.isPresent()) {
      descriptors.set(index, null);
    }
    return taken;
  }

  /** All that nobody took yet, in order: they are the caller's to close. */
  public List<FileDescriptor> takeAll() {
    List<FileDescriptor> taken = new ArrayList<>();
    for (int i = 0; i < descriptors.size(); i++) {
      take(i).ifPresent(taken::add);
    }
    return taken;
  }

  /** Closes what nobody took; again, does nothing. */
  @Override
  public void close() {
    for (int i = 0; i < descriptors.size(); i++) {
      take(i).ifPresent(FileDescriptor::close);
    }
  }

  @Override
  public String toString() {
    return descriptors + (truncated ? " and more that were lost" : "");
  }
}
