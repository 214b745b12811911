import { expect, it } from 'vitest'
import { startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import { startHttpFixture } from '../../test/support/http-app.ts'
import { authorizationRequest, refresh, signIn } from '../../test/support/oauth-sign-in.ts'
import { WebBrowser } from '../../test/support/web-browser.ts'

it('says "try again later", not "refused", while the store takes no changes: a refresh token lives through it', async () => {
  const postgres = await startEmbeddedPostgres()
  const fixture = await startHttpFixture(await postgres.freshStore())
  const { pool } = fixture.deps.store
  const setReadOnly = async (value: 'on' | 'off') => {
    await pool.query(`set default_transaction_read_only = off`)
    await pool.query(
      `do $$ begin execute format('alter database %I set default_transaction_read_only = ${value}', current_database()); end $$`,
    )
    const { rows } = await pool.query('select pid from pg_stat_activity where datname = current_database()')
    await pool
      .query('select pg_terminate_backend(pid) from pg_stat_activity where pid = any($1)', [rows.map(({ pid }) => pid)])
      .catch(() => undefined)
  }
  try {
    const { refresh_token: refreshToken } = await signIn(fixture)
    await setReadOnly('on')
    const away = await refresh(fixture, 'postern', refreshToken)
    expect([away.statusCode, away.json().error]).toEqual([503, 'temporarily_unavailable'])
    const page = await new WebBrowser(fixture.app).open(authorizationRequest('postern').path)
    expect([page.status, page.heading]).toEqual([503, 'This did not work'])
    await setReadOnly('off')
    expect((await refresh(fixture, 'postern', refreshToken)).statusCode).toBe(200)
  } finally {
    await fixture.close()
    await postgres.stop()
  }
})
