/**
 * The edge on uWebSockets.js. Nothing else imports this native add-on, and this folder is imported only by a server
 * that was asked for it: where there is no binary, the import fails with the reason in words.
 */
export { UwsServer } from './server.ts';
