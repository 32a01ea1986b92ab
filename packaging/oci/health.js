/** The health check of the image, which has no shell and no curl: ends with 0 while the dashboard answers at /healthz. */
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import process from "node:process";

const { PORT = "8080", BASE_PATH = "", TLS_CERT_FILE } = process.env;
const request = TLS_CERT_FILE === undefined ? requestHttp : requestHttps;

request({
  host: "127.0.0.1",
  port: PORT,
  path: `${BASE_PATH}/healthz`,
  timeout: 4_000,
  // On this address the certificate is not the right one; that something answers is all that is asked.
  rejectUnauthorized: false,
}, ({ statusCode }) => process.exit(statusCode === 200 ? 0 : 1))
  .on("timeout", () => process.exit(1))
  .on("error", () => process.exit(1))
  .end();
