"use strict"; // Express + better-sqlite3: one prepared statement, a commit for each open.

const fs = require("node:fs");
const path = require("node:path");
const Database = require("better-sqlite3");
const express = require("express");

const PIXEL = Buffer.from("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7", "base64");

const database = new Database(process.env.PEER_DATABASE);
database.pragma("journal_mode = WAL");
database.pragma(`synchronous = ${process.env.PEER_SYNCHRONOUS}`);
database.exec(fs.readFileSync(path.join(__dirname, "schema.sql"), "utf8"));
const insert = database.prepare(
  "INSERT INTO opens (token, opened_at, ip, user_agent, referer) VALUES (?, ?, ?, ?, ?)",
);

const app = express();
app.disable("x-powered-by");
app.disable("etag");
app.get("/open/:token.gif", (request, response) => {
  insert.run(
    request.params.token,
    Date.now(),
    request.ip,
    request.get("user-agent") ?? null,
    request.get("referer") ?? null,
  );
  response.set({ "Cache-Control": "no-store", "Content-Type": "image/gif" }).send(PIXEL);
});
app.listen(Number(process.env.PEER_PORT), "127.0.0.1");
