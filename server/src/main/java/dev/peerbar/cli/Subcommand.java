package dev.peerbar.cli;

import java.util.concurrent.Callable;

/**
 * A subcommand of {@code peerbar}, found through {@link java.util.ServiceLoader} so that modules
 * above this one can bring theirs. Implementations carry picocli's annotations; what {@link #call}
 * returns is the exit status.
 */
public interface Subcommand extends Callable<Integer> {}
