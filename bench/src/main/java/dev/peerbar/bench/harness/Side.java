package dev.peerbar.bench.harness;

/**
 * One of the things that are compared.
 *
 * @param name as the report shows it
 */
public record Side(String name, Work work) {}
