import type { DataSource } from '../../contract/data-sources.ts'
import { shownTime } from '../output.ts'

type Field = readonly [string, string | null]

/** A data source in one line. */
export function dataSourceLine(source: DataSource): string {
  const { username, tlsMode, ssh, tested } = source
  const user = username === '' ? '' : `${username}@`
  const way = ssh.length === 0 ? '' : `, SSH through ${ssh.map((hop) => hop.host).join(', ')}`
  return `${user}${placeOf(source)}, TLS ${tlsMode}${way}, ${secretText(source)}${tested ? '' : ', NOT TESTED'}`
}

/** What a person sees of one data source. */
export function dataSourceFields(source: DataSource): Field[] {
  const { fields, extraParameters, externalSecrets, lastCheck } = source
  return [
    ['Name', source.name],
    ['Type', source.type],
    ['Title', source.title === '' ? null : source.title],
    ['Leads to', placeOf(source)],
    ['User', source.username === '' ? null : source.username],
    ['Login', `${source.loginMethod}, ${secretText(source)}`],
    ...Object.entries(fields).map(([name, value]) => [name, value] as const),
    ['TLS', source.tlsMode],
    ...source.certificates.map(
      ({ use, subject, notAfter, daysLeft }) =>
        [
          use === 'ca' ? 'Authority' : 'Client certificate',
          `${subject}, until ${notAfter.slice(0, 10)}${ending(daysLeft)}`,
        ] as const,
    ),
    ...Object.entries(source.tlsFiles).map(([name, path]) => [`TLS file (${name})`, path] as const),
    ...source.ssh.flatMap(hopFields),
    ...Object.entries(externalSecrets).map(
      ([field, reference]) => [`External ${field}`, referenceText(reference)] as const,
    ),
    ...Object.entries(extraParameters).map(([name, value]) => [`Parameter ${name}`, value] as const),
    ['Tested', source.tested ? 'yes' : 'no'],
    [
      'Last check',
      lastCheck && `${lastCheck.ok ? 'good' : (lastCheck.code ?? 'failed')}, ${shownTime(lastCheck.checkedAt)}`,
    ],
    ['Id', source.id],
  ]
}

/** Where the secret lives: what identifies it, in the words of the API. */
function referenceText({ source, ...parts }: { readonly source: string }): string {
  const named = Object.entries(parts).filter(([name, value]) => name !== 'tlsCa' && typeof value !== 'object')
  return [source, ...named.map(([name, value]) => `${name} ${String(value)}`)].join(', ')
}

function hopFields(hop: DataSource['ssh'][number], index: number): Field[] {
  const title = `SSH server ${index + 1}`
  return [
    [title, `${hop.username}@${hop.host}:${hop.port}, ${hop.auth === 'password' ? 'password' : 'private key'}`],
    [`${title} host key`, hop.hostKey ?? 'not known yet'],
    [`${title} public key`, hop.publicKey],
  ]
}

/** Where a data source leads. */
export function placeOf({ host, port, database, fields }: DataSource): string {
  const place = host === '' ? Object.values(fields).join('/') : `${host}:${port}`
  return database === '' ? place : `${place}/${database}`
}

function secretText(source: DataSource): string {
  if (source.loginMethod === 'password') return source.passwordSet ? 'password set' : 'no password'
  if (source.loginMethod === 'ambient') return 'what the machine is trusted with'
  if (source.loginMethod === 'aws_iam' && !source.awsCredentialsSet) return 'the AWS identity of this node'
  if (source.loginMethod === 'gcp_iam' && !source.serviceAccountSet) return 'the Google identity of this node'
  if (source.loginMethod === 'azure_entra' && !source.azureClientSecretSet) return 'the Azure identity of this node'
  const { privateKeySet, accessTokenSet, serviceAccountSet, awsCredentialsSet, azureClientSecretSet } = source
  const isSet = privateKeySet || accessTokenSet || serviceAccountSet || awsCredentialsSet || azureClientSecretSet
  return isSet ? 'secret set' : 'no secret'
}

function ending(daysLeft: number): string {
  if (daysLeft < 0) return ' (ended)'
  return daysLeft <= 30 ? ` (in ${daysLeft} ${daysLeft === 1 ? 'day' : 'days'})` : ''
}
