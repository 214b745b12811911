import { describe, expect, test } from 'vitest'
import { SetupGuideQuery } from '../../contract/setup-guides.ts'
import { googleCloudSqlIamGuide } from './google-cloud-sql-iam.ts'

const EMAIL = 'bytebase@shop-prod.iam.gserviceaccount.com'

/** Title and text of every step, and what is to be copied, in one text. */
function guide(names: object = {}): string {
  const { steps } = googleCloudSqlIamGuide(SetupGuideQuery.parse({ host: 'shop-prod:europe-west3:orders', ...names }))
  return steps.map(({ title, text, copy }) => [title, text, copy?.text].join('\n')).join('\n')
}

describe('the set-up guide for IAM at Cloud SQL', () => {
  test('[D1-067] [D1-068] [D1-069] [D1-070] makes the service account bytebase, and grants it what it needs', () => {
    const text = guide()
    expect(text).toMatch(
      /^Create a service account\nIAM & Admin > Service accounts > Create service account: bytebase\./,
    )
    expect(text).toContain(`Its e-mail is ${EMAIL}`)
    expect(text).toContain('Cloud SQL Admin, which holds both and far more')
    expect(text).toContain(`--member=serviceAccount:${EMAIL} --role=roles/cloudsql.client`)
    expect(text).toContain('--role=roles/cloudsql.instanceUser')
  })

  test('[D1-070] [D1-071] [D1-072] [D1-073] [D1-074] makes its key, and gives the file to Postern', () => {
    const text = guide()
    expect(text).toContain('KEYS > ADD KEY > Create new key > JSON > CREATE. Keep the downloaded file')
    expect(text).toContain('GOOGLE_APPLICATION_CREDENTIALS=<<your-json-file>> postern serve --ambient-iam-hosts')
  })

  const users = [
    ['postgres', 'cloudsql.iam_authentication', 'bytebase@shop-prod.iam'],
    ['mysql', 'cloudsql_iam_authentication', 'bytebase'],
  ]
  test.each(users)(
    '[D1-075] [D1-076] [D1-077] [D1-078] on %s enables the flag %s and adds the user as %s',
    (engine, flag, user) => {
      const text = guide({ engine })
      expect(text).toContain('On the instance detail page the flag must be on')
      expect(text).toContain(`--database-flags=${flag}=on`)
      expect(text).toContain('Users > ADD USER ACCOUNT > Cloud IAM, with the e-mail of the service account')
      expect(text).toContain(`The database knows it as ${user}.`)
      expect(text).toMatch(
        new RegExp(`gcloud sql users create '?${user}'? --instance='?orders'? --project='?shop-prod'?`),
      )
    },
  )

  test('leaves what it was not told to be filled in', () => {
    const text = guide({ host: undefined })
    expect(text).toContain('<<your-project>>')
    expect(text).toContain('<<your-instance>>')
  })
})
