package dev.peerbar.devices.gpu;

import dev.peerbar.devices.gpu.GpuStructs.AttachBacking;
import dev.peerbar.devices.gpu.GpuStructs.Create2d;
import dev.peerbar.devices.gpu.GpuStructs.CreateBlob;
import dev.peerbar.devices.gpu.GpuStructs.Flush;
import dev.peerbar.devices.gpu.GpuStructs.GetEdid;
import dev.peerbar.devices.gpu.GpuStructs.OfResource;
import dev.peerbar.devices.gpu.GpuStructs.SetScanout;
import dev.peerbar.devices.gpu.GpuStructs.SetScanoutBlob;
import dev.peerbar.devices.gpu.GpuStructs.TransferToHost2d;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.virtio.VirtioRequest;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/**
 * What the commands of the control queue do (Virtual I/O Device 1.3, 5.7.6.8). For the engine's
 * thread.
 */
final class ControlCommands {

  /** struct virtio_gpu_display_one: a rectangle, and whether it is switched on. */
  private static final int DISPLAY_BYTES = 24;

  private static final int EDID_ROOM = 1024;
  private static final int BLOB_MEM_GUEST = 1;

  /** USE_MAPPABLE, USE_SHAREABLE and USE_CROSS_DEVICE: what a driver means to do with it. */
  private static final int BLOB_FLAGS = 7;

  private final Displays displays;
  private final DriverState state;
  private final PixelReader pixels;
  private final EntryReader entries;

  ControlCommands(Displays displays, DriverState state, PixelReader pixels, EntryReader entries) {
    this.displays = displays;
    this.state = state;
    this.pixels = pixels;
    this.entries = entries;
  }

  /**
   * Carries out a command.
   *
   * @param fields all of its type
   * @throws CommandException if it is to be answered with an error
   * @throws DmaFaultException if a byte of the request itself cannot be read
   */
  Response execute(CommandType type, Fields fields, VirtioRequest request, Job job)
      throws CommandException, DmaFaultException, JobEndedException {
    switch (type) {
      case GET_DISPLAY_INFO -> {
        return displayInfo();
      }
      case GET_EDID -> {
        return edid(fields.unsigned(GetEdid.SCANOUT));
      }
      case RESOURCE_ASSIGN_UUID -> {
        byte[] uuid = state.resources().get(fields.word(OfResource.RESOURCE_ID)).uuid();
        return new Response(ResponseType.OK_RESOURCE_UUID, uuid);
      }
      case RESOURCE_CREATE_2D -> createImage(fields);
      case RESOURCE_CREATE_BLOB -> createBlob(fields, request, job);
      case RESOURCE_UNREF -> unref(fields.word(OfResource.RESOURCE_ID));
      case RESOURCE_ATTACH_BACKING -> attachBacking(fields, request, job);
      case RESOURCE_DETACH_BACKING -> detachBacking(fields.word(OfResource.RESOURCE_ID));
      case SET_SCANOUT -> setScanout(fields);
      case SET_SCANOUT_BLOB -> setScanoutBlob(fields);
      case RESOURCE_FLUSH -> flush(fields, job);
      case TRANSFER_TO_HOST_2D -> transfer(fields, job);
      // num_capsets is 0: no index is below it, and there is no capset of any number.
      case GET_CAPSET_INFO, GET_CAPSET -> throw refused();
      case UPDATE_CURSOR, MOVE_CURSOR ->
          throw new IllegalArgumentException(type + " is no command of this queue");
    }
    return Response.OK;
  }

  private static CommandException refused() {
    return new CommandException(ResponseType.ERR_INVALID_PARAMETER);
  }

  private static void require(boolean valid) throws CommandException {
    if (!valid) {
      throw refused();
    }
  }

  private static Format format(int code) throws CommandException {
    return Format.of(code).orElseThrow(ControlCommands::refused);
  }

  /** All outputs are switched on, each right of the one before. */
  private Response displayInfo() {
    ByteBuffer info =
        ByteBuffer.allocate(GpuConfig.MOST_OUTPUTS * DISPLAY_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    int left = 0;
    for (DisplaySize size : displays.sizes()) {
      info.putInt(left).putInt(0).putInt(size.width()).putInt(size.height());
      info.putInt(1).putInt(0);
      left += size.width();
    }
    return new Response(ResponseType.OK_DISPLAY_INFO, info.array());
  }

  private Response edid(long output) throws CommandException {
    state.output(output);
    List<DisplaySize> sizes = displays.sizes();
    ByteBuffer payload =
        ByteBuffer.allocate(2 * Integer.BYTES + EDID_ROOM).order(ByteOrder.LITTLE_ENDIAN);
    payload.putInt(Edid.BYTES).putInt(0).put(Edid.of(sizes.get((int) output), (int) output));
    return new Response(ResponseType.OK_EDID, payload.array());
  }

  private void createImage(Fields fields) throws CommandException {
    int id = fields.word(Create2d.RESOURCE_ID);
    state.resources().checkNew(id);
    Format format = format(fields.word(Create2d.FORMAT));
    long width = fields.unsigned(Create2d.WIDTH);
    long height = fields.unsigned(Create2d.HEIGHT);
    checkSides(width, height);
    HostMemory memory = state.memory();
    memory.check(HostMemory.ofPixels(width, height));
    Resource resource = new Resource(Resource.Image.blank(format, (int) width, (int) height));
    memory.take(resource.contents().hostBytes());
    state.resources().add(id, resource);
  }

  private static void checkSides(long width, long height) throws CommandException {
    require(width > 0 && width <= GpuLimits.MOST_PIXELS);
    require(height > 0 && height <= GpuLimits.MOST_PIXELS);
  }

  private void createBlob(Fields fields, VirtioRequest request, Job job)
      throws CommandException, DmaFaultException, JobEndedException {
    int id = fields.word(CreateBlob.RESOURCE_ID);
    state.resources().checkNew(id);
    long size = fields.doubleWord(CreateBlob.SIZE);
    // Host memory is for 3D (VIRTIO_GPU_F_VIRGL). Sizes above 2^63 no address space has.
    require(fields.word(CreateBlob.BLOB_MEM) == BLOB_MEM_GUEST && size > 0);
    require((fields.word(CreateBlob.BLOB_FLAGS) & ~BLOB_FLAGS) == 0);
    Resource resource = new Resource(new Resource.Blob(size));
    long count = fields.unsigned(CreateBlob.NR_ENTRIES);
    if (count != 0) {
      attach(resource, entries.read(request, job, CreateBlob.BYTES, count, state.memory()));
    }
    state.resources().add(id, resource);
  }

  private void attachBacking(Fields fields, VirtioRequest request, Job job)
      throws CommandException, DmaFaultException, JobEndedException {
    Resource resource = state.resources().get(fields.word(AttachBacking.RESOURCE_ID));
    if (resource.backing().isPresent()) {
      throw new CommandException(ResponseType.ERR_UNSPEC);
    }
    long count = fields.unsigned(AttachBacking.NR_ENTRIES);
    attach(resource, entries.read(request, job, AttachBacking.BYTES, count, state.memory()));
  }

  /** A blob is all there or not at all; of a 2D resource each transfer looks for itself. */
  private void attach(Resource resource, Backing backing) throws CommandException {
    if (resource.contents() instanceof Resource.Blob(long size)) {
      require(backing.size() >= size);
    }
    state.memory().take(backing.hostBytes());
    resource.attach(backing);
  }

  private void detachBacking(int id) throws CommandException {
    Resource resource = state.resources().get(id);
    resource.requireBacking();
    state.resources().detach(resource);
  }

  /** What shows it shows nothing from now on. A cursor that was loaded from it stays. */
  private void unref(int id) throws CommandException {
    Resource resource = state.resources().remove(id);
    state.outputs().stream().filter(output -> output.shows(resource)).forEach(Output::disable);
  }

  private void setScanout(Fields fields) throws CommandException {
    Rectangle rectangle = fields.rectangle(SetScanout.RECTANGLE);
    Output output = state.output(fields.unsigned(SetScanout.SCANOUT_ID));
    int id = fields.word(SetScanout.RESOURCE_ID);
    if (id == 0) {
      output.disable();
      return;
    }
    Resource resource = state.resources().get(id);
    Resource.Image image = resource.image();
    require(!rectangle.empty() && rectangle.within(image.width(), image.height()));
    output.show(new Scanout(resource, rectangle, new Scanout.Kept(image)));
  }

  private void setScanoutBlob(Fields fields) throws CommandException {
    Rectangle rectangle = fields.rectangle(SetScanoutBlob.RECTANGLE);
    Output output = state.output(fields.unsigned(SetScanoutBlob.SCANOUT_ID));
    int id = fields.word(SetScanoutBlob.RESOURCE_ID);
    if (id == 0) {
      output.disable();
      return;
    }
    Resource resource = state.resources().get(id);
    Resource.Blob blob = resource.blob();
    long width = fields.unsigned(SetScanoutBlob.WIDTH);
    long height = fields.unsigned(SetScanoutBlob.HEIGHT);
    Format format = format(fields.word(SetScanoutBlob.FORMAT));
    long stride = fields.unsigned(SetScanoutBlob.STRIDES);
    long offset = fields.unsigned(SetScanoutBlob.OFFSETS);
    checkSides(width, height);
    long rowBytes = width * Format.PIXEL_BYTES;
    require(stride >= rowBytes && offset + (height - 1) * stride + rowBytes <= blob.size());
    require(!rectangle.empty() && rectangle.within(width, height));
    output.show(new Scanout(resource, rectangle, new Scanout.InBlob(format, stride, offset)));
  }

  /** How large an image a blob is only those who show it know: beyond that nothing is flushed. */
  private void flush(Fields fields, Job job) throws CommandException, JobEndedException {
    Rectangle part = fields.rectangle(Flush.RECTANGLE);
    Resource resource = state.resources().get(fields.word(Flush.RESOURCE_ID));
    if (resource.contents() instanceof Resource.Image image) {
      require(part.within(image.width(), image.height()));
    }
    for (Output output : state.outputs()) {
      if (output.shows(resource)) {
        output.flush(job.dma(), part);
      }
    }
  }

  /**
   * Of a blob there is nothing to transfer, as it is read where it lies; Linux asks for it all the
   * same.
   */
  private void transfer(Fields fields, Job job) throws CommandException, JobEndedException {
    Rectangle part = fields.rectangle(TransferToHost2d.RECTANGLE);
    long offset = fields.doubleWord(TransferToHost2d.OFFSET);
    Resource resource = state.resources().get(fields.word(TransferToHost2d.RESOURCE_ID));
    Backing backing = resource.requireBacking();
    if (!(resource.contents() instanceof Resource.Image image)) {
      return;
    }
    require(part.within(image.width(), image.height()));
    if (part.empty()) {
      return;
    }
    long stride = (long) image.width() * Format.PIXEL_BYTES;
    long needed = (part.height() - 1) * stride + part.width() * Format.PIXEL_BYTES;
    require(offset >= 0 && offset <= backing.size() - needed);
    pixels.read(
        job.dma(),
        backing,
        image.format(),
        offset,
        stride,
        (int) part.width(),
        image.rows((int) part.y(), (int) part.height()),
        (int) part.x());
  }
}
