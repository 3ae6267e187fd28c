package dev.peerbar.scenario;

/**
 * A way from one device to another's memory that a scenario tried.
 *
 * @param from the device that masters the bus, as the topology calls it: {@code "a"}, {@code "b"}
 *     or {@code "c"}
 * @param to the device whose memory it is, likewise
 * @param path by which way, a few words, such as {@code "IOAS mapping of a DMABUF"}
 * @param allowed whether the bytes arrived; otherwise it was refused
 */
public record Route(String from, String to, String path, boolean allowed) {}
