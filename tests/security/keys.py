# SPDX-License-Identifier: MIT
"""keys.py - makes what the tests of the bridge's security need: certificates, NKeys, JWTs.

openssl does the arithmetic. The texts are NATS's: an NKey is base 32 of a kind, 32 bytes and a
checksum; a JWT is signed by the NKey of who vouches for it.
"""
import base64
import json
import os
import subprocess
import tempfile

SEED = 18 << 3
KINDS = {"user": 20 << 3, "account": 0, "operator": 14 << 3}


def openssl(*arguments, data=None):
    done = subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {arguments[0]}: {done.stderr.decode()}")
    return done.stdout


def checksum(data):
    value = 0
    for byte in data:
        value ^= byte << 8
        for _ in range(8):
            value = ((value << 1) ^ 0x1021 if value & 0x8000 else value << 1) & 0xFFFF
    return value.to_bytes(2, "little")


def base32(data):
    return base64.b32encode(data + checksum(data)).decode().rstrip("=")


class NKey:
    def __init__(self, kind):
        self.secret = openssl("genpkey", "-algorithm", "ed25519", "-outform", "DER")
        public = openssl("pkey", "-inform", "DER", "-pubout", "-outform", "DER", data=self.secret)
        number = KINDS[kind]
        self.public = base32(bytes([number]) + public[-32:])
        head = bytes([SEED | (number >> 5), (number & 31) << 3])
        self.seed = base32(head + self.secret[-32:])

    def sign(self, data):
        with tempfile.TemporaryDirectory() as place:
            key, text = os.path.join(place, "key"), os.path.join(place, "text")
            for path, content in ((key, self.secret), (text, data)):
                with open(path, "wb") as file:
                    file.write(content)
            return openssl("pkeyutl", "-sign", "-keyform", "DER", "-inkey", key, "-rawin",
                           "-in", text)


def url64(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def jwt(issuer, subject, name, kind, **more):
    """A JWT by which `issuer` vouches for the key `subject`."""
    claims = {"jti": "x", "iat": 1600000000, "iss": issuer.public, "sub": subject.public,
              "name": name, "nats": {"type": kind, "version": 2, **more}}
    head = url64(json.dumps({"typ": "JWT", "alg": "ed25519-nkey"}).encode())
    body = url64(json.dumps(claims).encode())
    return f"{head}.{body}.{url64(issuer.sign(f'{head}.{body}'.encode()))}"


def secret_file(path, text, mode=0o600):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    os.chmod(path, mode)
    return path


def creds_file(path, token, key):
    line = "-" * 5
    return secret_file(path, f"{line}BEGIN NATS USER JWT{line}\n{token}\n"
                             f"{line}-END NATS USER JWT{line}-\n\n"
                             f"{line}BEGIN USER NKEY SEED{line}\n{key.seed}\n"
                             f"{line}-END USER NKEY SEED{line}-\n")


def authority(place, name):
    """Makes NAME.key and NAME.crt, which sign others."""
    key, crt = os.path.join(place, name + ".key"), os.path.join(place, name + ".crt")
    openssl("genpkey", "-algorithm", "ed25519", "-out", key)
    openssl("req", "-x509", "-new", "-key", key, "-subj", f"/CN={name}", "-days", "2",
            "-out", crt, "-addext", "basicConstraints=critical,CA:TRUE")


def certificate(place, name, signer, names, days=2):
    """Makes NAME.key and NAME.crt, signed by `signer`, for `names` ("DNS:a,IP:127.0.0.1")."""
    path = os.path.join(place, name)
    openssl("genpkey", "-algorithm", "ed25519", "-out", path + ".key")
    os.chmod(path + ".key", 0o600)
    openssl("req", "-new", "-key", path + ".key", "-subj", f"/CN={name}", "-out", path + ".csr")
    with open(path + ".ext", "w", encoding="ascii") as file:
        file.write(f"subjectAltName={names}\n")
    signer = os.path.join(place, signer)
    openssl("x509", "-req", "-in", path + ".csr", "-CA", signer + ".crt", "-CAkey",
            signer + ".key", "-CAcreateserial", "-days", str(days), "-extfile", path + ".ext",
            "-out", path + ".crt")
