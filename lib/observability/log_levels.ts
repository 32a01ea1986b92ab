/** The log levels. */

/** Each level includes the ones after it. */
export type LogLevel = "DEBUG" | "INFO" | "WARNING" | "ERROR";

/** The levels, most verbose first. */
export const LOG_LEVELS: readonly LogLevel[] = ["DEBUG", "INFO", "WARNING", "ERROR"];
