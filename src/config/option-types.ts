import { resolve } from 'node:path'
import { Secret } from '../base/secret.ts'
import { isAddressRange, isIpAddress } from './ip-address.ts'

/** What is wrong with a given value, as the end of a sentence that begins with the option's name. Never holds a secret. */
export class Mistake {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** How the value of an option is written and read. */
export interface OptionType<T> {
  /** For people, in help and on the reference page: `integer 1–64`. */
  readonly shape: string
  /** A flag of this type may stand alone (`--x`, `--no-x`). */
  readonly isSwitch?: boolean
  /** May be given several times, or separated by commas. */
  readonly isList?: boolean
  /** Never taken from a plain flag, and never printed. */
  readonly isSecret?: boolean
  /** @param base folder that relative paths start from */
  read(text: string, base: string): T | Mistake
}

/** `true` or `false`; a flag given alone means true. */
export const boolean: OptionType<boolean> = {
  shape: 'true or false',
  isSwitch: true,
  read: (text) => (text === 'true' ? true : text === 'false' ? false : new Mistake('must be true or false')),
}

/** A whole number in decimal digits within the range, both ends included. */
export function integer(min: number, max: number): OptionType<number> {
  return {
    shape: `integer ${min}–${max}`,
    read: (text) => {
      const value = /^(0|[1-9]\d{0,15})$/.test(text) ? Number(text) : Number.NaN
      return value >= min && value <= max ? value : new Mistake(`must be a whole number from ${min} to ${max}`)
    },
  }
}

/** A TCP port to listen on; 0 takes any free one. */
export const port: OptionType<number> = { ...integer(0, 65_535), shape: 'port (0: any free one)' }

/** A file or folder. The value is absolute. */
export const path: OptionType<string> = {
  shape: 'path',
  read: (text, base) => (text.includes('\0') ? new Mistake('is not a path') : resolve(base, text)),
}

/** One of these words. */
export function choice<T extends string>(...values: readonly T[]): OptionType<T> {
  return {
    shape: values.join(', '),
    read: (text) => values.find((value) => value === text) ?? new Mistake(`must be one of ${values.join(', ')}`),
  }
}

/** Text of a form that a pattern describes; `shape` names the form to the reader. */
export function matching(shape: string, pattern: RegExp): OptionType<string> {
  return { shape, read: (text) => (pattern.test(text) ? text : new Mistake(`must be ${shape}`)) }
}

const HOST_NAME = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/

/** A DNS name, kept in lower case. */
export const domain: OptionType<string> = {
  shape: 'DNS name',
  read: (text) => {
    const name = text.toLowerCase()
    return HOST_NAME.test(name) && !isIpAddress(name) ? name : new Mistake('must be a DNS name')
  },
}

/** An address or name to listen on. */
export const host: OptionType<string> = {
  shape: 'IP address or host name',
  read: (text) =>
    isIpAddress(text) || HOST_NAME.test(text) ? text : new Mistake('must be an IP address or a host name'),
}

/** An IP address, or a range of them in CIDR form. */
export const addressRange: OptionType<string> = {
  shape: 'IP addresses or CIDR ranges',
  read: (text) =>
    isAddressRange(text) ? text : new Mistake(`${JSON.stringify(text)} must be an IP address or a CIDR range`),
}

/** `http(s)://host[:port]`, kept without the slash at the end. */
export const origin: OptionType<string> = {
  shape: 'URL of the form https://host[:port]',
  read: (text) => {
    const url = URL.canParse(text) ? new URL(text) : undefined
    const isOrigin = url !== undefined && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`
    return isOrigin ? url.origin : new Mistake('must be a URL of the form https://host[:port], without a path')
  },
}

/** Several values, separated by commas; a flag may also be repeated. */
export function list<T>(item: OptionType<T>): OptionType<readonly T[]> {
  return {
    shape: `list of ${item.shape}`,
    isList: true,
    read: (text, base) => {
      const items: T[] = []
      for (const part of text.split(',').map((one) => one.trim())) {
        if (part === '') continue
        const value = item.read(part, base)
        if (value instanceof Mistake) return value
        items.push(value)
      }
      return Object.freeze(items)
    },
  }
}

/**
 * A value that is never shown: given in a file or an environment variable, not as a flag.
 * @param problem what is wrong with the revealed text, or undefined when nothing is
 */
export function secret(shape: string, problem: (text: string) => string | undefined): OptionType<Secret> {
  return {
    shape,
    isSecret: true,
    read: (text) => {
      const mistake = problem(text)
      return mistake === undefined ? new Secret(text) : new Mistake(mistake)
    },
  }
}
