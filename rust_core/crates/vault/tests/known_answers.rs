//! What the RFCs and drafts say must come out, through this crate's own functions.

use argon2::{Algorithm, Argon2, AssociatedData, ParamsBuilder, Version};
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use hkdf::Hkdf;
use pyagent_vault::{Cost, Key, derive, expand, open, seal_with};
use sha2::Sha256;
use x25519_dalek::{PublicKey, StaticSecret, x25519};

type Tested = Result<(), Box<dyn std::error::Error>>;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter_map(|one| char::from(one).to_digit(16)).map(|one| one as u8).collect();
    digits.chunks(2).map(|pair| pair[0] * 16 + pair[1]).collect()
}

fn array<const N: usize>(hex: &str) -> [u8; N] {
    let mut found = [0; N];
    found.copy_from_slice(&bytes(hex));
    found
}

/// draft-irtf-cfrg-xchacha-03, A.3.1.
#[test]
fn xchacha20_poly1305_gives_the_ciphertext_of_the_draft() -> Tested {
    let plain =
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen \
        would be it.";
    let context = bytes("50515253c0c1c2c3c4c5c6c7");
    let key = Key::new(array("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"));
    let nonce = array("404142434445464748494a4b4c4d4e4f5051525354555657");
    let expected = bytes(
        "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c2
         16cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c97637da9768812f615c68
         b13b52e c0875924c1c7987947deafd8780acf49",
    );
    assert_eq!(seal_with(&key, &nonce, &context, plain)?, expected);
    assert_eq!(open(&key, &context, &[nonce.as_slice(), &expected].concat())?.as_slice(), plain);
    Ok(())
}

/// RFC 9106, 5.3; it has a secret and associated data, which vaults do not use.
#[test]
fn argon2id_gives_the_tag_of_rfc_9106() -> Tested {
    let params = ParamsBuilder::new().m_cost(32).t_cost(3).p_cost(4).data(AssociatedData::new(&[4; 12])?).build()?;
    let argon = Argon2::new_with_secret(&[3; 8], Algorithm::Argon2id, Version::V0x13, params)?;
    let mut tag = [0; 32];
    argon.hash_password_into(&[1; 32], &[2; 16], &mut tag)?;
    assert_eq!(tag, array("0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659"));
    Ok(())
}

/// The reference implementation's own test: version 0x13, t = 2, m = 2^16, p = 1.
#[test]
fn a_passphrase_gives_the_key_of_the_reference_implementation() -> Tested {
    let key = derive(b"password", b"somesalt", Cost { memory: 65536, passes: 2, lanes: 1 })?;
    assert_eq!(key, Key::new(array("09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7")));
    Ok(())
}

/// RFC 5869, A.1.
#[test]
fn hkdf_gives_the_output_of_rfc_5869() -> Tested {
    let (salt, info) = (bytes("000102030405060708090a0b0c"), bytes("f0f1f2f3f4f5f6f7f8f9"));
    let expected = bytes("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
    let mut whole = [0; 42];
    assert!(Hkdf::<Sha256>::new(Some(&salt), &[0x0b; 22]).expand(&info, &mut whole).is_ok());
    assert_eq!(whole.as_slice(), expected);
    // Keys are the first block of it.
    assert_eq!(expand(&[0x0b; 22], &salt, &info).as_bytes().as_slice(), &expected[..32]);
    Ok(())
}

/// RFC 8032, 7.1, tests 1 to 3.
#[test]
fn ed25519_gives_the_keys_and_signatures_of_rfc_8032() -> Tested {
    let cases = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe2
             4655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302ae
             eb00d291612bb0c00",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28
             dc027beceea1ec40a",
        ),
    ];
    for (secret, public, message, signature) in cases {
        let key = SigningKey::from_bytes(&array(secret));
        assert_eq!(key.verifying_key().to_bytes(), array(public));
        let signed = key.sign(&bytes(message));
        assert_eq!(signed.to_bytes(), array(signature));
        VerifyingKey::from_bytes(&array(public))?.verify_strict(&bytes(message), &signed)?;
    }
    Ok(())
}

/// RFC 7748, 5.2 and 6.1.
#[test]
fn x25519_gives_the_secrets_of_rfc_7748() {
    let scalar = array("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
    let point = array("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c");
    assert_eq!(x25519(scalar, point), array("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"));
    let alice = StaticSecret::from(array::<32>("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"));
    let bob = StaticSecret::from(array::<32>("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"));
    let (of_alice, of_bob) = (PublicKey::from(&alice), PublicKey::from(&bob));
    assert_eq!(of_alice.to_bytes(), array("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"));
    assert_eq!(of_bob.to_bytes(), array("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"));
    let shared = array("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    assert_eq!(alice.diffie_hellman(&of_bob).to_bytes(), shared);
    assert_eq!(bob.diffie_hellman(&of_alice).to_bytes(), shared);
}
