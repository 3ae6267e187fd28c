package dev.peerbar.lab.guest;

/**
 * A call, or several that one thread made one after the other and that were alike, all of which
 * ended well.
 *
 * @param thread the host's thread that made them
 * @param words what it was and what came of it; of several, the first and the last
 * @param failed whether it did not end, or ended with an exception
 * @param times how many
 * @param began when the first began, as {@link System#nanoTime} says it
 * @param ended when the last one's caller had the outcome, or until when it is known to be under
 *     way, likewise
 */
public record CallRun(
    String thread, String words, boolean failed, long times, long began, long ended) {}
