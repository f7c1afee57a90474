/** The program of the product's ingest processes. */
import { WAYS_IN } from '../ways-in.ts';
import { runIngestProcess } from './program.ts';

runIngestProcess(WAYS_IN);
