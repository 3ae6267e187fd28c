package dev.peerbar.devices.gpu;

import java.util.HashMap;
import java.util.Map;

/** The resources of a driver's, by the numbers that it gave them. For the engine's thread. */
final class Resources {
  private final Map<Integer, Resource> byId = new HashMap<>();
  private final int most;
  private final HostMemory memory;

  /**
   * @param most how many there can be
   */
  Resources(int most, HostMemory memory) {
    this.most = most;
    this.memory = memory;
  }

  /**
   * Looks whether there can be another one.
   *
   * @throws CommandException if the number is taken or 0, which stands for none, or there are as
   *     many as there can be
   */
  void checkNew(int id) throws CommandException {
    if (id == 0 || byId.containsKey(id)) {
      throw new CommandException(ResponseType.ERR_INVALID_RESOURCE_ID);
    }
    if (byId.size() >= most) {
      throw new CommandException(ResponseType.ERR_OUT_OF_MEMORY);
    }
  }

  /** Adds one whose number was found to be free, and whose memory has been counted. */
  void add(int id, Resource resource) {
    byId.put(id, resource);
  }

  /**
   * @throws CommandException if there is none of that number
   */
  Resource get(int id) throws CommandException {
    Resource resource = byId.get(id);
    if (resource == null) {
      throw new CommandException(ResponseType.ERR_INVALID_RESOURCE_ID);
    }
    return resource;
  }

  /**
   * Takes one away, with its backing and its memory.
   *
   * @throws CommandException if there is none of that number
   */
  Resource remove(int id) throws CommandException {
    Resource resource = get(id);
    detach(resource);
    memory.release(resource.contents().hostBytes());
    byId.remove(id);
    return resource;
  }

  /** Takes its backing away, if it has one. */
  void detach(Resource resource) {
    resource.backing().ifPresent(backing -> memory.release(backing.hostBytes()));
    resource.detach();
  }
}
