// postgres.js asks for `pass` at each new session, and gets one that still logs in.

import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { passwordProvider } from '@postern/client'
import postgres from 'postgres'

const { POSTERN_HOST, POSTERN_CLIENT_ID, POSTERN_CLIENT_SECRET, POSTERN_INSTANCE, PGSSLROOTCERT } = process.env

const password = passwordProvider({
  host: POSTERN_HOST!,
  instance: POSTERN_INSTANCE!,
  clientId: POSTERN_CLIENT_ID!,
  clientSecret: POSTERN_CLIENT_SECRET!,
})

let logins = 0
const until = Date.now() + Number(process.env['RUN_SECONDS'] ?? 5) * 1000
while (Date.now() < until) {
  // Host, port and database come from PGHOST, PGPORT and PGDATABASE. A program keeps one pool; this example opens many.
  const sql = postgres({
    user: POSTERN_CLIENT_ID!,
    pass: password,
    ssl: { ca: readFileSync(PGSSLROOTCERT!, 'utf8') },
    max: 1,
  })
  await sql`select current_user`
  await sql.end()
  logins += 1
  await sleep(100)
}
console.log(`logins=${logins}`)
