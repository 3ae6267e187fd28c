package dev.peerbar.driver.fake;

import dev.peerbar.endpoint.Engine;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** Tests of what only a host that polls does; their constructor is told how much it does. */
@Target(ElementType.TYPE)
@Retention(RetentionPolicy.RUNTIME)
@ParameterizedClass
@EnumSource(value = Engine.Polling.class, mode = EnumSource.Mode.EXCLUDE, names = "NEVER")
public @interface WherePolled {}
