"""Who is acting, how logins are slowed down, and the book of what is done to accounts."""
