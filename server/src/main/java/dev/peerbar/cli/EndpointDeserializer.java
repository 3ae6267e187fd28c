package dev.peerbar.cli;

import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.util.JsonParserSequence;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.deser.BeanDeserializerBase;
import com.fasterxml.jackson.databind.deser.SettableBeanProperty;
import com.fasterxml.jackson.databind.deser.std.StdDeserializer;
import com.fasterxml.jackson.databind.exc.InvalidTypeIdException;
import com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException;
import com.fasterxml.jackson.databind.util.TokenBuffer;
import dev.peerbar.endpoint.EndpointOption;
import dev.peerbar.endpoint.EndpointOptions;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads one endpoint of a file: its type says which options there are besides those of every
 * endpoint. The {@link EndpointTypes} are an attribute of the reader, by their class.
 */
final class EndpointDeserializer extends StdDeserializer<EndpointSpec> {
  private static final long serialVersionUID = 1L;

  private static final String TYPE = "type";

  EndpointDeserializer() {
    super(EndpointSpec.class);
  }

  @Override
  public EndpointSpec deserialize(JsonParser parser, DeserializationContext context)
      throws IOException {
    TokenBuffer before = context.bufferForInputBuffering(parser);
    JsonToken token = parser.currentToken();
    if (token == JsonToken.START_OBJECT) {
      token = parser.nextToken();
    }
    for (; token == JsonToken.FIELD_NAME; token = parser.nextToken()) {
      String name = parser.currentName();
      parser.nextToken();
      String type = name.equals(TYPE) ? parser.getValueAsString() : null;
      if (type != null) {
        FoundType found = find(type, parser, context);
        return options(
            found,
            JsonParserSequence.createFlattened(false, before.asParser(parser), parser),
            context);
      }
      before.writeFieldName(name);
      before.copyCurrentStructure(parser);
    }
    throw noType(null, parser, context);
  }

  private static FoundType find(String type, JsonParser parser, DeserializationContext context)
      throws InvalidTypeIdException {
    return types(context).find(type).orElseThrow(() -> noType(type, parser, context));
  }

  private static EndpointTypes types(DeserializationContext context) {
    return (EndpointTypes) context.getAttribute(EndpointTypes.class);
  }

  private static InvalidTypeIdException noType(
      String type, JsonParser parser, DeserializationContext context) {
    String sentence = type == null ? "an endpoint has no type" : types(context).missing(type);
    return InvalidTypeIdException.from(
        parser, sentence, context.constructType(EndpointSpec.class), type);
  }

  private static EndpointSpec options(
      FoundType type, JsonParser parser, DeserializationContext context) throws IOException {
    ServeOptions serving = new ServeOptions();
    BeanDeserializerBase known =
        (BeanDeserializerBase)
            context.findRootValueDeserializer(context.constructType(ServeOptions.class));
    EndpointOptions options = EndpointOptions.NONE;
    Map<String, JsonLocation> places = new HashMap<>();
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      String name = parser.currentName();
      parser.nextToken();
      places.put(name, parser.currentTokenLocation());
      EndpointOption<?> option = type.option(name).orElse(null);
      SettableBeanProperty property = option == null ? known.findProperty(name) : null;
      try {
        if (option != null) {
          Object value = value(option, parser, context);
          options = value == null ? options : options.with(option, value);
        } else if (property != null) {
          property.deserializeAndSet(parser, context, serving);
        } else {
          throw unknown(name, type, known, parser);
        }
      } catch (IllegalArgumentException e) {
        throw wrong(e, parser, places.get(name));
      }
    }
    try {
      serving.check();
    } catch (IllegalArgumentException e) {
      throw wrong(e, parser, places.get(ServeOptions.POLL_IDLE));
    }
    return new EndpointSpec(type, serving, options);
  }

  /** What a sentence says of an option. */
  private static JsonMappingException wrong(
      IllegalArgumentException sentence, JsonParser parser, JsonLocation place) {
    return new JsonMappingException(parser, sentence.getMessage(), place);
  }

  private static UnrecognizedPropertyException unknown(
      String name, FoundType type, BeanDeserializerBase known, JsonParser parser) {
    List<Object> names = new ArrayList<>(known.getKnownPropertyNames());
    type.options().forEach(option -> names.add(option.name()));
    return UnrecognizedPropertyException.from(parser, EndpointSpec.class, name, names);
  }

  /** What was given, or null if that is nothing. */
  private static Object value(
      EndpointOption<?> option, JsonParser parser, DeserializationContext context)
      throws IOException {
    if (parser.hasToken(JsonToken.VALUE_NULL)) {
      return null;
    }
    if (option.syntax().isPresent()) {
      return option.syntax().get().apply(read(String.class, parser, context).toString());
    }
    Class<?> type = option.type();
    return read(
        type == Integer.class ? int.class : type == Boolean.class ? boolean.class : type,
        parser,
        context);
  }

  private static Object read(Class<?> type, JsonParser parser, DeserializationContext context)
      throws IOException {
    return context
        .findRootValueDeserializer(context.constructType(type))
        .deserialize(parser, context);
  }
}
