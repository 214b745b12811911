/** Where an account of Snowflake is, read from any of the forms in which people know it. */
export interface SnowflakeAccount {
  readonly host: string
  /** As a key-pair JWT names it: in upper case, without region and cloud. */
  readonly name: string
}

/** Why a text is no account, as the end of a sentence that begins with the field's name. */
export interface SnowflakeAccountProblem {
  readonly problem: string
}

const LOCATOR = /^[a-z0-9]{3,40}$/
const ORGANIZATION_AND_NAME = /^[a-z0-9]+-[a-z][a-z0-9_-]*$/
/** `us-west-2`, `us-central1`, `west-europe`, `us-gov-west-1-fhplus-dod`: there is always a hyphen. */
const REGION = /^[a-z]+(?:-[a-z0-9]+)+$/
const CLOUDS = ['aws', 'azure', 'gcp']
const DOMAIN = /\.snowflakecomputing\.(?:com|cn)$/
const LABEL = /^[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?$/
const DOMAIN_OF_LOCATORS = 'snowflakecomputing.com'

/**
 * Reads an account: the locator in any case (bare, it is in AWS us-west-2), `locator.region`, `locator.region.cloud`,
 * `organization-account`, the full host name, or a pasted address of either web page.
 * @see https://docs.snowflake.com/en/user-guide/admin-account-identifier
 */
export function parseSnowflakeAccount(text: string): SnowflakeAccount | SnowflakeAccountProblem {
  const given = text.trim().toLowerCase()
  if (given === '') return { problem: 'is empty' }
  if (given.includes('://')) return fromUrl(given)
  if (/[^a-z0-9._-]/.test(given)) return { problem: 'has a character that no account has (letters, digits, . - _)' }
  if (DOMAIN.test(given)) return fromHost(given)
  const [first = '', region, cloud, ...more] = given.split('.')
  if (region === undefined) return fromOneWord(first)
  if (!LOCATOR.test(first)) {
    return { problem: `has a dot, so ${JSON.stringify(first)} should be a locator such as xy12345` }
  }
  if (!REGION.test(region)) {
    return {
      problem: `names ${JSON.stringify(region)} as its region, which is none; organization and account are joined by a hyphen`,
    }
  }
  if (more.length > 0 || (cloud !== undefined && !CLOUDS.includes(cloud))) {
    return { problem: 'must end with the cloud after the region: aws, azure or gcp' }
  }
  return { host: `${given}.${domainOf(region)}`, name: first.toUpperCase() }
}

function fromOneWord(word: string): SnowflakeAccount | SnowflakeAccountProblem {
  if (LOCATOR.test(word)) return { host: `${word}.${DOMAIN_OF_LOCATORS}`, name: word.toUpperCase() }
  if (ORGANIZATION_AND_NAME.test(word)) {
    // Host names have no underscore; Snowflake answers to a hyphen in its place.
    return { host: `${word.replaceAll('_', '-')}.${DOMAIN_OF_LOCATORS}`, name: word.toUpperCase() }
  }
  return { problem: 'is neither a locator (xy12345) nor organization and account joined by a hyphen (myorg-account1)' }
}

function fromHost(host: string): SnowflakeAccount | SnowflakeAccountProblem {
  const labels = host.split('.')
  if (!labels.every((label) => LABEL.test(label))) return { problem: 'is no proper host name' }
  return { host, name: (labels[0] ?? '').toUpperCase() }
}

/** `https://HOST/…`, or `https://app.snowflake.com/ORGANIZATION/ACCOUNT` and `…/REGION/LOCATOR` of the newer page. */
function fromUrl(text: string): SnowflakeAccount | SnowflakeAccountProblem {
  if (!URL.canParse(text)) return { problem: 'is no proper address' }
  const url = new URL(text)
  if (url.protocol !== 'https:') return { problem: 'must be an https address' }
  if (url.username !== '' || url.port !== '') return { problem: 'must be an address without user and port' }
  if (DOMAIN.test(url.hostname)) return fromHost(url.hostname)
  const [, first = '', second = ''] = url.pathname.split('/')
  if (url.hostname !== 'app.snowflake.com' || second === '') {
    return { problem: 'is an address, but not one of an account of Snowflake (https://….snowflakecomputing.com)' }
  }
  return parseSnowflakeAccount(first.includes('-') ? `${second}.${first}` : `${first}-${second}`)
}

function domainOf(region: string): string {
  return region.startsWith('cn-') ? 'snowflakecomputing.cn' : DOMAIN_OF_LOCATORS
}
