// Each new session asks for the password, and gets one that still logs in: a fresh one where the last is near its end.

import { setTimeout as sleep } from 'node:timers/promises'
import { readFileSync } from 'node:fs'
import { passwordProvider } from '@postern/client'
import { Pool } from 'pg'

const { POSTERN_HOST, POSTERN_CLIENT_ID, POSTERN_CLIENT_SECRET, POSTERN_INSTANCE, PGSSLROOTCERT } = process.env

const password = passwordProvider({
  host: POSTERN_HOST!,
  instance: POSTERN_INSTANCE!,
  clientId: POSTERN_CLIENT_ID!,
  clientSecret: POSTERN_CLIENT_SECRET!,
})

// Host, port and database come from PGHOST, PGPORT and PGDATABASE. An open session outlives its credential.
const pool = new Pool({
  user: POSTERN_CLIENT_ID!,
  password,
  ssl: { ca: readFileSync(PGSSLROOTCERT!, 'utf8') },
  max: 3,
  maxUses: 1, // so that this example opens many sessions; leave it out
})

let logins = 0
const until = Date.now() + Number(process.env['RUN_SECONDS'] ?? 5) * 1000
while (Date.now() < until) {
  await Promise.all([1, 2, 3].map(() => pool.query('select current_user')))
  logins += 3
  await sleep(100)
}
await pool.end()
console.log(`logins=${logins}`)
