/** How much the log tells. */

/** How much is logged: each level includes the ones after it. */
export type LogLevel = "DEBUG" | "INFO" | "WARNING" | "ERROR";

/** The levels, from the most talkative. */
export const LOG_LEVELS: readonly LogLevel[] = ["DEBUG", "INFO", "WARNING", "ERROR"];
