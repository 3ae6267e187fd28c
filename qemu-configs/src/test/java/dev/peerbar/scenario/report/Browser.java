package dev.peerbar.scenario.report;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;

/** A headless Chromium with one page, by the DevTools protocol. For one thread. */
final class Browser implements AutoCloseable {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String LISTENING = "DevTools listening on ";

  /** Generous: a browser's first start on a busy machine. */
  private static final int PATIENCE_SECONDS = 120;

  private final Process process;
  private final HttpClient client = HttpClient.newHttpClient();
  private final AtomicInteger numbers = new AtomicInteger();
  private final Map<Integer, CompletableFuture<JsonNode>> answers = new ConcurrentHashMap<>();
  private final List<String> complaints = new CopyOnWriteArrayList<>();
  private final List<String> requests = new CopyOnWriteArrayList<>();
  private final CompletableFuture<String> address = new CompletableFuture<>();
  private volatile CompletableFuture<Void> loaded = new CompletableFuture<>();
  private final WebSocket socket;
  private final String session;

  /** Where a browser is, if there is one. */
  static Optional<Path> find() {
    return Stream.of(System.getenv("PATH").split(":"))
        .flatMap(folder ->
            Stream.of("chromium", "chromium-browser", "google-chrome")
                .map(name -> Path.of(folder, name)))
        .filter(Files::isExecutable)
        .findFirst();
  }

  /**
   * Starts one.
   *
   * @param profile a directory of its own
   */
  Browser(Path executable, Path profile) throws Exception {
    process =
        new ProcessBuilder(
                executable.toString(),
                "--headless",
                // As root it has none, and the page is ours.
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--no-first-run",
                "--remote-debugging-port=0",
                "--user-data-dir=" + profile,
                "about:blank")
            .redirectErrorStream(true)
            .start();
    Thread.ofPlatform().daemon().name("browser-output").start(this::read);
    socket =
        client
            .newWebSocketBuilder()
            .buildAsync(URI.create(get(address)), new Listener())
            .get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    String target =
        ask("", "Target.createTarget", Map.of("url", "about:blank")).get("targetId").asText();
    session =
        ask("", "Target.attachToTarget", Map.of("targetId", target, "flatten", true))
            .get("sessionId")
            .asText();
    for (String domain : List.of("Page", "Runtime", "Log", "Network")) {
      ask(domain + ".enable", Map.of());
    }
  }

  private void read() {
    List<String> said = new ArrayList<>();
    try (BufferedReader lines = process.inputReader()) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        if (line.startsWith(LISTENING)) {
          address.complete(line.substring(LISTENING.length()).strip());
        }
        if (!address.isDone()) {
          said.add(line);
        }
      }
    } catch (IOException e) {
      said.add(e.toString());
    }
    IOException gone = new IOException("the browser ended: " + said);
    address.completeExceptionally(gone);
    loaded.completeExceptionally(gone);
    answers.values().forEach(answer -> answer.completeExceptionally(gone));
  }

  private final class Listener implements WebSocket.Listener {
    private final StringBuilder message = new StringBuilder();

    @Override
    public CompletionStage<?> onText(WebSocket from, CharSequence text, boolean last) {
      message.append(text);
      if (last) {
        try {
          heard(JSON.readTree(message.toString()));
        } catch (IOException e) {
          complaints.add(e.toString());
        }
        message.setLength(0);
      }
      from.request(1);
      return null;
    }
  }

  private void heard(JsonNode message) {
    if (message.has("id")) {
      CompletableFuture<JsonNode> answer = answers.remove(message.get("id").intValue());
      if (answer != null) {
        answer.complete(message);
      }
      return;
    }
    JsonNode of = message.path("params");
    switch (message.path("method").asText()) {
      case "Page.loadEventFired" -> loaded.complete(null);
      case "Runtime.exceptionThrown" -> complaints.add(of.path("exceptionDetails").toString());
      case "Runtime.consoleAPICalled" -> complaints.add(of.path("args").toString());
      case "Log.entryAdded" -> complaints.add(of.path("entry").toString());
      case "Network.requestWillBeSent" -> requests.add(of.path("request").path("url").asText());
      case "Page.javascriptDialogOpening" -> complaints.add(of.toString());
      default -> {
        // Nothing else is of interest.
      }
    }
  }

  private JsonNode ask(String method, Map<String, ?> parameters) throws Exception {
    return ask(session, method, parameters);
  }

  private JsonNode ask(String to, String method, Map<String, ?> parameters) throws Exception {
    int number = numbers.incrementAndGet();
    CompletableFuture<JsonNode> answer = new CompletableFuture<>();
    answers.put(number, answer);
    ObjectNode request = JSON.createObjectNode().put("id", number).put("method", method);
    request.set("params", JSON.valueToTree(parameters));
    if (!to.isEmpty()) {
      request.put("sessionId", to);
    }
    get(socket.sendText(request.toString(), true));
    JsonNode message = get(answer);
    if (message.has("error")) {
      throw new IOException(method + ": " + message.get("error"));
    }
    return message.get("result");
  }

  private static <T> T get(CompletableFuture<T> future) throws Exception {
    try {
      return future.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      throw new IOException(e.getCause().getMessage(), e);
    } catch (TimeoutException e) {
      throw new IOException("the browser does not answer", e);
    }
  }

  /** Opens a page, and waits until it has loaded and its scripts have run. */
  void open(URI page) throws Exception {
    // Another fragment alone would not load it anew.
    loaded = new CompletableFuture<>();
    ask("Page.navigate", Map.of("url", "about:blank"));
    get(loaded);
    requests.clear();
    loaded = new CompletableFuture<>();
    ask("Page.navigate", Map.of("url", page.toString()));
    get(loaded);
  }

  /** What an expression gives, as JSON has it. */
  JsonNode value(String expression) throws Exception {
    JsonNode result =
        ask(
            "Runtime.evaluate",
            Map.of("expression", expression, "returnByValue", true, "awaitPromise", true));
    if (result.has("exceptionDetails")) {
      throw new IOException(expression + ": " + result.get("exceptionDetails"));
    }
    return result.path("result").path("value");
  }

  int number(String expression) throws Exception {
    return value(expression).intValue();
  }

  String text(String expression) throws Exception {
    return value(expression).asText();
  }

  /** Types where the focus is, as a keyboard does. */
  void type(String text) throws Exception {
    for (String letter : text.split("")) {
      key(letter, letter);
    }
  }

  /** Presses a key that is no letter, such as {@code Enter}. */
  void press(String key) throws Exception {
    key(key, key.equals("Enter") ? "\r" : "");
  }

  private void key(String key, String text) throws Exception {
    ask("Input.dispatchKeyEvent", Map.of("type", "keyDown", "key", key, "text", text));
    ask("Input.dispatchKeyEvent", Map.of("type", "keyUp", "key", key));
  }

  /** A window of another size, light or dark. */
  void look(int width, int height, boolean dark) throws Exception {
    ask(
        "Emulation.setDeviceMetricsOverride",
        Map.of("width", width, "height", height, "deviceScaleFactor", 1, "mobile", false));
    ask(
        "Emulation.setEmulatedMedia",
        Map.of(
            "features",
            List.of(Map.of("name", "prefers-color-scheme", "value", dark ? "dark" : "light"))));
  }

  /** Keeps what can be seen, for a person who looks. */
  void picture(Path png) throws Exception {
    JsonNode shot = ask("Page.captureScreenshot", Map.of("format", "png"));
    Files.createDirectories(png.getParent());
    Files.write(png, Base64.getDecoder().decode(shot.get("data").asText()));
  }

  /** Errors, warnings and whatever else came to the console. */
  List<String> complaints() {
    return complaints;
  }

  /** The addresses that the page has asked for, itself included. */
  List<String> requests() {
    return requests;
  }

  @Override
  public void close() {
    // It removes what it has put beside its profile only if it is asked like this.
    socket.sendText("{\"id\":0,\"method\":\"Browser.close\"}", true);
    try {
      if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
        process.destroyForcibly().waitFor();
      }
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
    client.shutdownNow();
  }
}
