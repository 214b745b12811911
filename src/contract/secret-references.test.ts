import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { publicReference, SecretReference } from './secret-references.ts'
import { isWriteOnly } from './write-only.ts'

const PLANTED = 'planted-secret'

const references: readonly unknown[] = [
  {
    source: 'vault_kv',
    url: 'https://vault.test',
    engineName: 'secret',
    path: 'a/b',
    key: 'k',
    auth: { method: 'token', token: { from: 'literal', value: PLANTED } },
    tlsClientCertificate: 'PEM',
    tlsClientKey: PLANTED,
  },
  {
    source: 'vault_database',
    url: 'https://vault.test',
    role: 'r',
    auth: { method: 'app_role', roleId: 'role', secretId: { from: 'literal', value: PLANTED } },
  },
  {
    source: 'aws_secrets_manager',
    name: 'n',
    credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: PLANTED, sessionToken: PLANTED },
  },
  { source: 'gcp_secret_manager', name: 'projects/p/secrets/s', serviceAccount: PLANTED },
  { source: 'azure_key_vault', vaultUrl: 'https://v.vault.azure.net', name: 'n', clientSecret: PLANTED },
  { source: 'endpoint', url: 'https://e.test/x', headers: { authorization: PLANTED } },
]

describe('what is shown of a secret reference', () => {
  it.each(references.map((reference) => [(reference as { source: string }).source, reference]))(
    'holds nothing secret, and says where the secret lives: %s',
    (source, reference) => {
      const shown = publicReference(SecretReference.parse(reference))
      expect(JSON.stringify(shown)).not.toContain(PLANTED)
      expect(shown['source']).toBe(source)
      expect(Object.keys(shown).length).toBeGreaterThan(1)
    },
  )

  it('covers every source', () => {
    const sources = SecretReference.options.map((option) => option.shape.source.value)
    expect(references.map((reference) => (reference as { source: string }).source).toSorted()).toEqual(
      sources.toSorted(),
    )
  })

  it('leaves out every field whose name is that of a secret, wherever it stands', () => {
    const isSecretName = /(secretAccessKey|sessionToken|clientSecret|tlsClientKey|serviceAccount|headers|^value)$/
    const unmarked: string[] = []
    const walk = (schema: z.core.$ZodType, path: string): void => {
      if (isWriteOnly(schema)) return
      if (isSecretName.test(path.split('.').at(-1) ?? '')) unmarked.push(path)
      if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) walk(schema.unwrap(), path)
      else if (schema instanceof z.ZodDiscriminatedUnion) {
        for (const option of schema.options) walk(option, path)
      } else if (schema instanceof z.ZodObject) {
        for (const [name, field] of Object.entries(schema.shape)) walk(field as z.ZodType, `${path}.${name}`)
      }
    }
    walk(SecretReference, '')
    expect(unmarked).toEqual([])
  })

  it('keeps what tells one place from another, so that it names the destination', () => {
    const [vault] = references
    const at = (change: object) =>
      JSON.stringify(publicReference(SecretReference.parse({ ...(vault as object), ...change })))
    expect(at({ url: 'https://other.test' })).not.toBe(at({}))
    expect(at({ path: 'a/c' })).not.toBe(at({}))
    expect(at({ key: 'other' })).not.toBe(at({}))
  })
})
