package dev.peerbar.server.events;

/** Something that happened. Not changed any more when observers are told. */
public sealed interface TraceEvent permits MessageEvent, TransferEvent, ResetEvent, InterruptEvent {

  /** The name of the function that it happened to. */
  String function();

  /** When it began, as {@link System#nanoTime} says it. */
  long began();

  /** When it ended, as {@link System#nanoTime} says it. */
  long ended();
}
