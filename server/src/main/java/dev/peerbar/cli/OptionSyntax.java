package dev.peerbar.cli;

import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** How the text of an option is read on the command line. */
interface OptionSyntax<T> extends ITypeConverter<T> {

  /**
   * Reads it.
   *
   * @throws IllegalArgumentException with a sentence if it is none
   */
  T read(String text);

  /** As {@link #read}; the sentence is what the person is told. */
  @Override
  default T convert(String text) {
    try {
      return read(text);
    } catch (IllegalArgumentException e) {
      throw new TypeConversionException(e.getMessage());
    }
  }
}
