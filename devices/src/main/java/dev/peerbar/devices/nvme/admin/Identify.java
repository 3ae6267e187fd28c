package dev.peerbar.devices.nvme.admin;

import dev.peerbar.devices.nvme.NvmeConfig;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.storage.Storage;

/**
 * Identify (NVMe 1.4 5.15). But for one bit what it says never changes: one namespace, which is
 * allocated, active and attached to the one controller.
 */
public final class Identify {
  static final int BYTES = 4096;
  static final int NAMESPACE = 1;

  private static final int EVERY_NAMESPACE = 0xffff_ffff;

  /** The largest NSID that a list may begin after. */
  private static final int LAST_LISTED = 0xffff_fffd;

  // Fields of the command.
  private static final int DWORD10 = 10;
  private static final int CNS_MASK = 0xff;
  private static final int CNTID_SHIFT = 16;
  private static final int CNTID_MASK = 0xffff;

  private static final int DWORD11 = 11;
  private static final int CSI_SHIFT = 24;
  private static final int CSI_MASK = 0xff;
  private static final int CSI_NVM = 0;

  // Controller or Namespace Structure.
  private static final int CNS_NAMESPACE = 0x00;
  private static final int CNS_CONTROLLER = 0x01;
  private static final int CNS_ACTIVE_NAMESPACES = 0x02;
  private static final int CNS_NAMESPACE_DESCRIPTORS = 0x03;
  private static final int CNS_COMMAND_SET_NAMESPACE = 0x05;
  private static final int CNS_COMMAND_SET_CONTROLLER = 0x06;
  private static final int CNS_ALLOCATED_NAMESPACES = 0x10;
  private static final int CNS_ALLOCATED_NAMESPACE = 0x11;
  private static final int CNS_ATTACHED_CONTROLLERS = 0x12;
  private static final int CNS_CONTROLLERS = 0x13;

  private final byte[] controllerWithMessages;
  private final byte[] controllerWithPin;
  private final byte[] namespace;
  private final byte[] descriptors;

  public Identify(NvmeConfig config, Storage storage, Identity identity) {
    controllerWithMessages = IdentifyController.page(identity, config.shadowDoorbells());
    controllerWithPin = IdentifyController.page(identity, false);
    namespace = IdentifyNamespace.page(config, storage, identity);
    descriptors = IdentifyNamespace.descriptors(identity);
  }

  void execute(AdminCommand command, boolean msix) {
    switch (command.field(DWORD10, 0, CNS_MASK)) {
      case CNS_CONTROLLER -> command.send(msix ? controllerWithMessages : controllerWithPin);
      case CNS_NAMESPACE, CNS_ALLOCATED_NAMESPACE -> ofNamespace(command, namespace);
      case CNS_NAMESPACE_DESCRIPTORS -> ofNamespace(command, descriptors);
      case CNS_COMMAND_SET_NAMESPACE, CNS_COMMAND_SET_CONTROLLER -> ofCommandSet(command);
      case CNS_ACTIVE_NAMESPACES, CNS_ALLOCATED_NAMESPACES -> namespaces(command);
      case CNS_ATTACHED_CONTROLLERS -> {
        if (command.entry().namespaceId() == EVERY_NAMESPACE) {
          command.invalidField(Parameter.NAMESPACE_ID);
        } else {
          ofNamespace(command, controllers(command));
        }
      }
      case CNS_CONTROLLERS -> command.send(controllers(command));
      default -> command.invalidField(Parameter.of(DWORD10, 0));
    }
  }

  /**
   * Structures that came after 1.4 (NVMe 2.0 5.17.2.5, 5.17.2.6), which drivers of today ask every
   * controller for. There is nothing to add for the NVM command set: no limit, no other format.
   */
  private static void ofCommandSet(AdminCommand command) {
    if (command.field(DWORD11, CSI_SHIFT, CSI_MASK) != CSI_NVM) {
      command.invalidField(Parameter.of(DWORD11, CSI_SHIFT));
    } else if (command.field(DWORD10, 0, CNS_MASK) == CNS_COMMAND_SET_CONTROLLER) {
      command.send(new byte[BYTES]);
    } else {
      ofNamespace(command, new byte[BYTES]);
    }
  }

  private static void ofNamespace(AdminCommand command, byte[] page) {
    if (command.entry().namespaceId() == NAMESPACE) {
      command.send(page);
    } else {
      command.end(Status.INVALID_NAMESPACE_OR_FORMAT, Parameter.NAMESPACE_ID);
    }
  }

  /** The namespaces of a higher identifier than the command's. */
  private static void namespaces(AdminCommand command) {
    int after = command.entry().namespaceId();
    if (Integer.compareUnsigned(after, LAST_LISTED) > 0) {
      command.end(Status.INVALID_NAMESPACE_OR_FORMAT, Parameter.NAMESPACE_ID);
      return;
    }
    Page list = new Page(BYTES);
    if (after == 0) {
      list.put32(0, NAMESPACE);
    }
    command.send(list.bytes());
  }

  /** The controllers from the command's identifier on: their number, then theirs. */
  private static byte[] controllers(AdminCommand command) {
    Page list = new Page(BYTES);
    if (command.field(DWORD10, CNTID_SHIFT, CNTID_MASK) <= IdentifyController.CONTROLLER_ID) {
      list.put16(0, 1).put16(Short.BYTES, IdentifyController.CONTROLLER_ID);
    }
    return list.bytes();
  }
}
