"""One door for all surfaces, sync and async: a request goes in, an answer or an explained error comes out."""
