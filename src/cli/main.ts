#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { VERSION } from '../config/index.ts';
import { MillraceError, messageOf, systemCodeOf } from '../core/index.ts';
import { configCommand } from './config.ts';
import { deadLettersCommand } from './dead-letters.ts';
import { demoCommand } from './demo.ts';
import { devicesCommand } from './devices.ts';
import { journalCommand } from './journal.ts';
import { latestCommand } from './latest.ts';
import { queryCommand } from './query.ts';
import { serveCommand } from './serve.ts';
import { tailCommand } from './tail.ts';

/** Exit codes: 0 done, 1 failed, 2 wrong use or wrong settings. */
const FAILED = 1;
const WRONG_USE = 2;
/** Commands that do their work whoever listens. */
const SERVERS: readonly string[] = ['serve', 'demo'];

const program = new Command('millrace')
  .description('A telemetry gateway: Avro frames in, an ack means on disk, history and live by one cursor.')
  .version(VERSION)
  .showHelpAfterError('(add --help for the options)');

for (const command of [
  serveCommand(),
  demoCommand(),
  devicesCommand(),
  tailCommand(),
  queryCommand(),
  latestCommand(),
  deadLettersCommand(),
  configCommand(),
  journalCommand(),
]) {
  program.addCommand(command.showHelpAfterError('(add --help for the options)'));
}
overrideExit(program);
let isServer = false;
program.hook('preAction', (_program, command) => {
  isServer = SERVERS.includes(command.name());
});
process.stdout.on('error', (error) => {
  // It goes on, whether or not anybody reads where it listens.
  if (isServer) return;
  // Who reads the rest may have seen enough.
  if (systemCodeOf(error) === 'EPIPE') process.exit(0);
  process.stderr.write(`millrace: the output is not whole: ${messageOf(error)}\n`);
  process.exit(FAILED);
});

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : WRONG_USE;
    // Commander has already told of what it found itself.
    if (error.code === 'commander.invalidArgument' && !error.message.startsWith('error:')) {
      process.stderr.write(`millrace: ${error.message}\n(add --help for the options)\n`);
    }
  } else {
    process.exitCode = error instanceof MillraceError && error.code === 'config_invalid' ? WRONG_USE : FAILED;
    const code = error instanceof MillraceError ? ` (${error.code})` : '';
    process.stderr.write(`millrace: ${messageOf(error)}${code}\n`);
    if (error instanceof MillraceError && error.code !== 'config_invalid') {
      process.stderr.write(`  ${error.row.help}\n`);
    }
  }
}

/** Commander would exit with 1 for wrong use; the contract says 2. */
function overrideExit(command: Command): void {
  command.exitOverride();
  for (const child of command.commands) overrideExit(child);
}
